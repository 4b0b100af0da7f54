#include "plugin/timers.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "call/call.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* One row at work. */
struct timer {
    struct grc_plugin *plugin;
    const struct gr_timer *row;
    struct grc_timers *all;
    pthread_t thread;
    bool woken;
};

struct grc_timers {
    pthread_mutex_t lock; /* guards stopping and woken */
    pthread_cond_t changed;
    bool stopping;
    size_t count; /* threads that run */
    struct timer timers[];
};

static void run_once(const struct timer *timer, struct grc_call *call)
{
    grc_call_begin(call, timer->plugin->runtime, timer->plugin);
    enum gr_err err = timer->row->run(&call->pub);
    if (err != GR_OK)
        grc_log_fields(GR_LOG_WARN, "a timer failed",
                       GRC_LOG_FIELDS(GRC_LT("plugin", timer->plugin->self.name),
                                      GRC_LT("timer", timer->row->name),
                                      GRC_LT("error", grc_err_slug(err)),
                                      GRC_LT("reason", call->error.message)));
    grc_call_end(call);
}

static struct timespec after_ms(unsigned interval_ms)
{
    int64_t at_ms = grc_mono_ms() + interval_ms;

    return (struct timespec){.tv_sec = at_ms / 1000, .tv_nsec = (at_ms % 1000) * 1000000};
}

/* Waits for the interval or a wake-up. false: time to end. */
static bool wait_turn(struct timer *timer)
{
    struct grc_timers *all = timer->all;
    struct timespec until = after_ms(timer->row->interval_ms);
    int result = 0;

    pthread_mutex_lock(&all->lock);
    while (!all->stopping && !timer->woken && result == 0)
        result = pthread_cond_timedwait(&all->changed, &all->lock, &until);
    timer->woken = false;
    bool go_on = !all->stopping;
    pthread_mutex_unlock(&all->lock);
    return go_on;
}

static void *work(void *arg)
{
    struct timer *timer = arg;
    struct grc_call *call = calloc(1, sizeof(*call));

    if (!call) {
        grc_error("%s: timer %s: out of memory", timer->plugin->self.name, timer->row->name);
        return NULL;
    }
    while (wait_turn(timer))
        run_once(timer, call);
    grc_call_done(call);
    free(call);
    return NULL;
}

static struct grc_timers *make(struct grc_plugin *plugin, size_t count)
{
    struct grc_timers *all = calloc(1, sizeof(*all) + count * sizeof(all->timers[0]));
    pthread_condattr_t clock;

    if (!all)
        return NULL;
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&all->changed, &clock);
    pthread_condattr_destroy(&clock);
    for (size_t i = 0; i < count; i++)
        all->timers[i] =
            (struct timer){.plugin = plugin, .row = &plugin->desc->timers[i], .all = all};
    return all;
}

enum gr_err grc_timers_start(struct grc_plugin *plugin)
{
    const struct gr_timer *rows = plugin->desc->timers;
    size_t count = 0;

    while (rows && rows[count].name)
        count++;
    if (count == 0)
        return GR_OK;
    struct grc_timers *all = make(plugin, count);
    if (!all)
        return GR_ERR_NO_MEMORY;
    plugin->timers = all;
    for (; all->count < count; all->count++) {
        struct timer *timer = &all->timers[all->count];

        if (pthread_create(&timer->thread, NULL, work, timer) != 0) {
            grc_timers_stop(plugin);
            return GR_ERR_NO_MEMORY;
        }
    }
    return GR_OK;
}

void grc_timers_stop(struct grc_plugin *plugin)
{
    struct grc_timers *all = plugin->timers;

    if (!all)
        return;
    pthread_mutex_lock(&all->lock);
    all->stopping = true;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    for (size_t i = 0; i < all->count; i++)
        pthread_join(all->timers[i].thread, NULL);
    plugin->timers = NULL;
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

void grc_timers_wake(struct grc_plugin *plugin, const char *name)
{
    struct grc_timers *all = plugin->timers;

    if (!all)
        return;
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->timers[i].row->name, name) == 0)
            all->timers[i].woken = true;
    }
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}
