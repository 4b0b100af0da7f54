#include "call/timers.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secure.h"
#include "base/ticker.h"
#include "call/spans.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define STACK_BYTES ((size_t)512 * 1024)

struct grc_plugin_timer {
    const struct gr_timer *row;
    struct grc_plugin *plugin;
    struct grc_ticker ticker;
    char label[64]; /* for reports of faults */
    struct grc_call call;
};

static _Atomic bool given_up;

void grc_plugin_timers_give_up(void)
{
    atomic_store(&given_up, true);
}

bool grc_plugin_timers_given_up(void *arg)
{
    (void)arg;
    return atomic_load(&given_up);
}

static void run_once(void *arg)
{
    struct grc_plugin_timer *timer = arg;
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

/* The interval of the row or of its option; the loader has checked that there is such an option. */
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

static void prepare(struct grc_plugin_timer *timer, const struct gr_timer *row,
                    struct grc_plugin *plugin)
{
    timer->row = row;
    snprintf(timer->label, sizeof(timer->label), "timer %s", row->name);
    timer->plugin = plugin;
    grc_ticker_init(&timer->ticker, interval_of(row, plugin), run_once, timer);
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
        if (!grc_ticker_start(&plugin->timers[i].ticker, STACK_BYTES)) {
            grc_plugin_timers_stop(plugin);
            return GR_ERR_NO_MEMORY;
        }
    }
    return GR_OK;
}

void grc_plugin_timers_stop(struct grc_plugin *plugin)
{
    for (size_t i = 0; i < plugin->timer_count; i++)
        grc_ticker_end(&plugin->timers[i].ticker);
    /* The timers stay allocated until the plugin is freed, since a handler may still wake one. */
    for (size_t i = 0; i < plugin->timer_count; i++) {
        struct grc_plugin_timer *timer = &plugin->timers[i];

        if (!timer->ticker.running)
            continue;
        grc_ticker_stop(&timer->ticker);
        grc_call_done(&timer->call);
    }
}

void grc_plugin_timers_free(struct grc_plugin *plugin)
{
    for (size_t i = 0; i < plugin->timer_count; i++)
        grc_ticker_done(&plugin->timers[i].ticker);
    free(plugin->timers);
    plugin->timers = NULL;
    plugin->timer_count = 0;
}

void grc_plugin_timers_wake(struct grc_plugin *plugin, const char *name)
{
    for (size_t i = 0; i < plugin->timer_count; i++) {
        struct grc_plugin_timer *timer = &plugin->timers[i];

        if (strcmp(timer->row->name, name) == 0)
            grc_ticker_wake(&timer->ticker);
    }
}
