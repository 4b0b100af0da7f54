#include "server/lifecycle.h"

#include "base/format.h"
#include "base/log.h"
#include "call/timers.h"
#include "isolation/isolation.h"
#include "plugin/fault.h"
#include "server/health.h"

#include <stdio.h>
#include <stdlib.h>

void grc_say(const struct grc_reporter *reporter, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *line = grc_format_args(format, args);
    va_end(args);
    reporter->report(reporter->arg, line ? line : "out of memory");
    free(line);
}

bool grc_plugin_drop(const struct grc_reporter *reporter, struct grc_plugin *plugin,
                     enum grc_load_state state, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *reason = grc_format_args(format, args);
    va_end(args);
    free(plugin->reason);
    plugin->reason = reason;
    plugin->state = state;
    grc_say(reporter, "%s%s", reporter->skips ? GRC_LEFT_OUT : "",
            reason ? reason : "out of memory");
    return reporter->skips;
}

bool grc_plugin_drop_at(const struct grc_reporter *reporter, struct grc_plugin *plugin,
                        enum grc_load_state state, const char *key, const char *format, ...)
{
    va_list args;
    char *where = grc_plugin_where(plugin, key);

    va_start(args, format);
    char *reason = grc_format_args(format, args);
    va_end(args);
    bool overlooked = grc_plugin_drop(reporter, plugin, state, "%s: %s: %s",
                                      where ? where : grc_plugin_config(plugin), key,
                                      reason ? reason : "out of memory");
    free(reason);
    free(where);
    return overlooked;
}

/* --- routers --- */

static bool is_builtin(const struct grc_plugin *plugin)
{
    return !plugin->module;
}

static const char *method_name(enum gr_method method)
{
    static const char *const names[] = {"", "GET", "POST", "PUT", "PATCH", "DELETE"};

    return names[method];
}

/* Adds the routes of a plugin. Sets *ret_retry if a clash has dropped it. Returns false on a
 * failure. */
static bool add_routes(struct grc_runtime *runtime, struct grc_plugin *plugin,
                       const struct grc_reporter *reporter, bool *ret_retry)
{
    for (size_t i = 0; i < plugin->route_count; i++) {
        const struct grc_route *route = &plugin->routes[i];
        const struct grc_route *other = NULL;

        if (is_builtin(plugin) && !grc_router_add(runtime->admin_router, route, &other))
            return false;
        if (grc_plugin_is_for_admin(plugin, runtime->settings))
            continue;
        if (grc_router_add(runtime->router, route, &other)) {
            runtime->route_count++;
            continue;
        }
        if (!other)
            return false;
        *ret_retry = grc_plugin_drop_at(
            reporter, plugin, GRC_LOAD_CLASH, "prefix",
            "%s: route %s: %s %s is served by %s of %s (%s) already: "
            "give one of the two a prefix, or disable it",
            plugin->file, route->row->id, method_name(route->row->method), route->path,
            other->row->id, grc_plugin_config(other->plugin), other->plugin->file);
        return *ret_retry;
    }
    return true;
}

static bool add_prefixes(struct grc_runtime *runtime, struct grc_plugin *plugin)
{
    for (const char *const *own = plugin->desc->owns; own && *own; own++) {
        char *whole = grc_plugin_path(plugin, *own);
        bool added = whole && grc_router_own(runtime->router, plugin, whole);
        free(whole);
        if (!added)
            return false;
    }
    return true;
}

static bool fill_routers(struct grc_runtime *runtime, const struct grc_reporter *reporter,
                         bool *ret_retry)
{
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state != GRC_LOAD_OK)
            continue;
        if (!add_routes(runtime, plugin, reporter, ret_retry) || !add_prefixes(runtime, plugin))
            return false;
        if (*ret_retry)
            return true;
    }
    return true;
}

bool grc_runtime_route(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    bool retry;

    /* Routes cannot be removed, so the routers are made again whenever a plugin is dropped. */
    do {
        retry = false;
        grc_router_free(runtime->router);
        grc_router_free(runtime->admin_router);
        runtime->router = grc_router_new();
        runtime->admin_router = grc_router_new();
        runtime->route_count = 0;
        if (!runtime->router || !runtime->admin_router || !fill_routers(runtime, reporter, &retry))
            return false;
    } while (retry);
    return true;
}

/* --- init, start, stop, fini --- */

/* Sets the subject of a fault while a function of a plugin runs. Returns the previous subject. */
static const struct grc_fault_subject *enter(const struct grc_plugin *plugin, const char *what,
                                             struct grc_fault_subject *subject)
{
    *subject = (struct grc_fault_subject){
        .plugin = plugin->self.name, .module = plugin->module, .operation = what, .request_id = ""};
    return grc_fault_subject_set(subject);
}

static bool init_one(struct grc_plugin *plugin)
{
    const struct gr_plugin *desc = plugin->desc;
    struct grc_fault_subject subject;
    const struct grc_fault_subject *before = enter(plugin, "init", &subject);

    plugin->inited =
        !desc->init || desc->init(&plugin->self, plugin->options, &plugin->instance) == GR_OK;
    (void)grc_fault_subject_set(before);
    return plugin->inited;
}

static bool start_one(struct grc_plugin *plugin)
{
    const struct gr_plugin *desc = plugin->desc;
    struct grc_fault_subject subject;
    const struct grc_fault_subject *before = enter(plugin, "start", &subject);

    plugin->started = !desc->start || desc->start(&plugin->self, plugin->instance) == GR_OK;
    (void)grc_fault_subject_set(before);
    return plugin->started;
}

static void stop_one(struct grc_plugin *plugin)
{
    struct grc_fault_subject subject;

    grc_plugin_timers_stop(plugin);
    const struct grc_fault_subject *before = enter(plugin, "stop", &subject);
    if (plugin->started && plugin->desc->stop)
        plugin->desc->stop(&plugin->self, plugin->instance);
    (void)grc_fault_subject_set(before);
    plugin->started = false;
}

static void fini_one(struct grc_plugin *plugin)
{
    struct grc_fault_subject subject;

    grc_plugin_timers_free(plugin);
    const struct grc_fault_subject *before = enter(plugin, "fini", &subject);
    if (plugin->inited && plugin->desc->fini)
        plugin->desc->fini(&plugin->self, plugin->instance);
    (void)grc_fault_subject_set(before);
    plugin->inited = false;
    plugin->instance = NULL;
}

void grc_plugins_end(struct grc_runtime *runtime)
{
    for (size_t i = runtime->plugin_count; i-- > 0;)
        stop_one(runtime->plugins[i]);
    for (size_t i = runtime->plugin_count; i-- > 0;)
        fini_one(runtime->plugins[i]);
}

typedef bool step_fn(struct grc_plugin *plugin);

static bool start_timers(struct grc_plugin *plugin)
{
    return grc_plugin_timers_start(plugin) == GR_OK;
}

static bool for_each(struct grc_runtime *runtime, const struct grc_reporter *reporter,
                     step_fn *step, enum grc_load_state failure, const char *what)
{
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state != GRC_LOAD_OK || step(plugin))
            continue;
        stop_one(plugin);
        fini_one(plugin);
        if (!grc_plugin_drop(reporter, plugin, failure, "%s: %s failed", plugin->file, what))
            return false;
    }
    return true;
}

bool grc_plugins_begin(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state == GRC_LOAD_OK && plugin->settings && plugin->settings->isolated)
            grc_isolation_apply(plugin);
    }
    bool fine = for_each(runtime, reporter, init_one, GRC_LOAD_INIT, "init") &&
                for_each(runtime, reporter, start_one, GRC_LOAD_START, "start") &&
                for_each(runtime, reporter, start_timers, GRC_LOAD_START, "starting its timers") &&
                grc_runtime_route(runtime, reporter);

    if (!fine)
        grc_plugins_end(runtime);
    return fine;
}
