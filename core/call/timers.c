#include "call/timers.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secure.h"
#include "base/thread.h"
#include "call/spans.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define STACK_BYTES ((size_t)512 * 1024)

struct grc_timer {
    const struct gr_timer *row;
    struct grc_plugin *plugin;
    int64_t interval_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool running; /* the thread exists */
    bool woken;
    bool stopping;
    char label[64]; /* for reports of faults */
    struct grc_call call;
};

static _Atomic bool given_up;

void grc_timers_give_up(void)
{
    atomic_store(&given_up, true);
}

bool grc_timers_given_up(void *arg)
{
    (void)arg;
    return atomic_load(&given_up);
}

static void run_once(struct grc_timer *timer)
{
    struct grc_call *call = &timer->call;

    grc_call_begin(call, timer->plugin->runtime, timer->plugin);
    grc_uuid(call->request_id);
    call->subject.operation = timer->label;
    grc_call_trace_begin_timer(call);
    const int64_t began_us = grc_mono_us();
    enum gr_err err = timer->row->run(&call->pub);
    if (err != GR_OK)
        grc_log_fields(GR_LOG_WARN, call->error.message ? call->error.message : "timer failed",
                       GRC_LOG_FIELDS(GRC_LT("plugin", timer->plugin->self.name),
                                      GRC_LT("timer", timer->row->name),
                                      GRC_LT("request_id", call->request_id)));
    grc_call_trace_end_timer(call, timer->label, began_us, err);
    grc_call_end(call);
}

/* Waits for the interval, a wake-up or the stop. Returns false for the stop. */
static bool wait_turn(struct grc_timer *timer)
{
    const int64_t due_ms = grc_mono_ms() + timer->interval_ms;

    pthread_mutex_lock(&timer->lock);
    while (!timer->stopping && !timer->woken) {
        if (!grc_cond_wait_until(&timer->changed, &timer->lock, due_ms))
            break;
    }
    bool go_on = !timer->stopping;
    timer->woken = false;
    pthread_mutex_unlock(&timer->lock);
    return go_on;
}

static void *work(void *arg)
{
    struct grc_timer *timer = arg;

    while (wait_turn(timer))
        run_once(timer);
    grc_call_done(&timer->call);
    return NULL;
}

/* The interval of the row, or of the option that it names; the loader has checked that there is
 * one.
 */
static int64_t interval_of(const struct gr_timer *row, const struct grc_plugin *plugin)
{
    const struct gr_option *option = row->interval_option ? plugin->desc->options : NULL;
    int64_t ms = row->interval_ms;

    for (; option && option->name; option++) {
        if (strcmp(option->name, row->interval_option) == 0)
            memcpy(&ms, (const char *)plugin->options + option->offset, sizeof(ms));
    }
    return ms;
}

static void prepare(struct grc_timer *timer, const struct gr_timer *row, struct grc_plugin *plugin)
{
    timer->row = row;
    timer->interval_ms = interval_of(row, plugin);
    snprintf(timer->label, sizeof(timer->label), "timer %s", row->name);
    timer->plugin = plugin;
    pthread_mutex_init(&timer->lock, NULL);
    pthread_cond_init(&timer->changed, NULL);
}

enum gr_err grc_plugin_timers_start(struct grc_plugin *plugin)
{
    const struct gr_timer *rows = plugin->desc->timers;
    size_t count = 0;

    while (rows && rows[count].name)
        count++;
    if (count == 0)
        return GR_OK;
    plugin->timers = calloc(count, sizeof(*plugin->timers));
    if (!plugin->timers)
        return GR_ERR_NO_MEMORY;
    /* All are prepared before the first one runs, since it may wake any of them. */
    for (size_t i = 0; i < count; i++)
        prepare(&plugin->timers[i], &rows[i], plugin);
    plugin->timer_count = count;
    for (size_t i = 0; i < count; i++) {
        struct grc_timer *timer = &plugin->timers[i];

        timer->running = grc_thread_start(&timer->thread, STACK_BYTES, work, timer);
        if (!timer->running) {
            grc_plugin_timers_stop(plugin);
            return GR_ERR_NO_MEMORY;
        }
    }
    return GR_OK;
}

void grc_plugin_timers_stop(struct grc_plugin *plugin)
{
    for (size_t i = 0; i < plugin->timer_count; i++) {
        struct grc_timer *timer = &plugin->timers[i];

        pthread_mutex_lock(&timer->lock);
        timer->stopping = true;
        pthread_cond_signal(&timer->changed);
        pthread_mutex_unlock(&timer->lock);
    }
    /* The timers stay allocated until the plugin is freed, since a handler may still wake one. */
    for (size_t i = 0; i < plugin->timer_count; i++) {
        struct grc_timer *timer = &plugin->timers[i];

        if (timer->running)
            pthread_join(timer->thread, NULL);
        timer->running = false;
    }
}

void grc_plugin_timers_free(struct grc_plugin *plugin)
{
    for (size_t i = 0; i < plugin->timer_count; i++) {
        pthread_cond_destroy(&plugin->timers[i].changed);
        pthread_mutex_destroy(&plugin->timers[i].lock);
    }
    free(plugin->timers);
    plugin->timers = NULL;
    plugin->timer_count = 0;
}

void grc_plugin_timers_wake(struct grc_plugin *plugin, const char *name)
{
    for (size_t i = 0; i < plugin->timer_count; i++) {
        struct grc_timer *timer = &plugin->timers[i];

        if (strcmp(timer->row->name, name) != 0)
            continue;
        pthread_mutex_lock(&timer->lock);
        timer->woken = true;
        pthread_cond_signal(&timer->changed);
        pthread_mutex_unlock(&timer->lock);
    }
}
