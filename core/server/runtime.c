#include "server/runtime.h"

#include "base/err.h"
#include "base/log.h"
#include "plugin/timers.h"
#include "server/health.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* A runtime in the making, and where its problems go. */
struct build {
    struct grc_runtime *runtime;
    enum grc_runtime_stage stage;
    grc_report_fn *report;
    void *arg;
    bool failed;
};

static void say(struct build *build, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct build *build, const char *format, ...)
{
    char *line = NULL;
    va_list args;

    va_start(args, format);
    int len = vasprintf(&line, format, args);
    va_end(args);
    build->report(build->arg, len < 0 ? "out of memory" : line);
    if (len >= 0)
        free(line);
}

/* A plugin that cannot serve stops the start, or is left out, as the config wants it. */
static void drop(struct build *build, struct grc_plugin *plugin)
{
    bool skip = build->runtime->settings->plugin_error_skips && plugin->settings;

    say(build, "%s%s", plugin->reason ? plugin->reason : "out of memory",
        skip ? " (ignoring this plugin)" : "");
    if (!skip)
        build->failed = true;
}

static void drop_because(struct build *build, struct grc_plugin *plugin, enum grc_load_state state,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));
static void drop_because(struct build *build, struct grc_plugin *plugin, enum grc_load_state state,
                         const char *format, ...)
{
    va_list args;

    free(plugin->reason);
    plugin->state = state;
    va_start(args, format);
    if (vasprintf(&plugin->reason, format, args) < 0)
        plugin->reason = NULL;
    va_end(args);
    drop(build, plugin);
}

/* --- loading --- */

static const struct grc_plugin *same_name(const struct grc_runtime *runtime,
                                          const struct grc_plugin *plugin)
{
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        const struct grc_plugin *other = runtime->plugins[i];

        if (other->state == GRC_LOAD_OK && strcmp(other->self.name, plugin->self.name) == 0)
            return other;
    }
    return NULL;
}

static void take(struct build *build, struct grc_plugin *plugin)
{
    struct grc_runtime *runtime = build->runtime;

    if (!plugin) {
        say(build, "out of memory");
        build->failed = true;
        return;
    }
    plugin->runtime = runtime;
    const struct grc_plugin *other =
        plugin->state == GRC_LOAD_OK ? same_name(runtime, plugin) : NULL;
    runtime->plugins[runtime->plugin_count++] = plugin;
    if (other)
        drop_because(build, plugin, GRC_LOAD_CLASH,
                     "%s: name: found '%s' a second time, wanted it once: %s has it", plugin->file,
                     plugin->self.name, other->file);
    else if (plugin->state != GRC_LOAD_OK && plugin->state != GRC_LOAD_DISABLED)
        drop(build, plugin);
}

static void load_plugins(struct build *build)
{
    struct grc_runtime *runtime = build->runtime;
    const struct grc_settings *settings = runtime->settings;
    const struct gr_plugin *const *builtin = grc_builtin_plugins();
    size_t builtins = 0;

    while (builtin[builtins])
        builtins++;
    runtime->plugins = calloc(settings->plugin_count + builtins, sizeof(*runtime->plugins));
    if (!runtime->plugins) {
        take(build, NULL);
        return;
    }
    for (size_t i = 0; i < builtins; i++)
        take(build, grc_plugin_builtin(builtin[i], NULL));
    for (size_t i = 0; i < settings->plugin_count; i++)
        take(build, grc_plugin_load(settings, &settings->plugins[i]));
}

/* --- routes --- */

/* Every upstream that a forward row names must be there. */
static void check_upstreams(struct build *build)
{
    struct grc_runtime *runtime = build->runtime;

    for (size_t i = 0; i < runtime->plugin_count; i++) {
        struct grc_plugin *plugin = runtime->plugins[i];

        for (size_t j = 0; plugin->state == GRC_LOAD_OK && j < plugin->route_count; j++) {
            const struct grc_route *route = &plugin->routes[j];

            if (!route->forward || grc_upstreams_has(runtime->upstreams, route->forward->upstream))
                continue;
            drop_because(build, plugin, GRC_LOAD_OPTION,
                         "%s: route %s forwards to the upstream '%s', which the config lacks: add "
                         "it under \"upstreams\"",
                         plugin->settings ? plugin->settings->file : plugin->file, route->row->id,
                         route->forward->upstream);
        }
    }
}

static const char *method_name(enum gr_method method)
{
    static const char *const names[] = {"?", "GET", "POST", "PUT", "PATCH", "DELETE"};

    return names[method <= GR_METHOD_DELETE ? method : 0];
}

/* Adds one plugin's routes. false: it was dropped, and the router has to be made again. */
static bool add_plugin(struct build *build, struct grc_router *router, struct grc_plugin *plugin)
{
    for (size_t i = 0; i < plugin->route_count; i++) {
        const struct grc_route *route = &plugin->routes[i];
        const struct grc_route *other = NULL;

        if (grc_router_add(router, route, &other))
            continue;
        if (other)
            drop_because(build, plugin, GRC_LOAD_CLASH,
                         "%s: route %s: %s %s is served by %s of %s already", plugin->file,
                         route->row->id, method_name(route->row->method), route->path,
                         other->row->id, other->plugin->file);
        else
            drop_because(build, plugin, GRC_LOAD_TABLE, "%s: route %s: path: '%s' is malformed",
                         plugin->file, route->row->id, route->path);
        return false;
    }
    const char *prefix = plugin->settings ? plugin->settings->prefix : "";
    for (const char *const *own = plugin->desc->owns; own && *own; own++) {
        char *path = NULL;

        if (asprintf(&path, "%s%s", prefix, *own) < 0)
            path = NULL;
        bool ok = path && grc_router_own(router, plugin, path);
        free(path);
        if (!ok) {
            drop_because(build, plugin, GRC_LOAD_TABLE, "%s: owns: '%s' is malformed", plugin->file,
                         *own);
            return false;
        }
    }
    return true;
}

static struct grc_router *try_router(struct build *build)
{
    struct grc_router *router = grc_router_new();

    for (size_t i = 0; router && i < build->runtime->plugin_count; i++) {
        struct grc_plugin *plugin = build->runtime->plugins[i];

        if (plugin->state != GRC_LOAD_OK || plugin->desc->flags & GRC_PLUGIN_ADMIN)
            continue;
        if (!add_plugin(build, router, plugin)) {
            grc_router_free(router);
            return NULL;
        }
    }
    return router;
}

/* Makes the router of all plugins that are left; each turn drops at least one or is the last. */
static void make_router(struct build *build)
{
    struct grc_runtime *runtime = build->runtime;

    grc_router_free(runtime->router);
    runtime->router = NULL;
    for (size_t turn = 0; !build->failed && !runtime->router && turn <= runtime->plugin_count;
         turn++)
        runtime->router = try_router(build);
    if (!build->failed && !runtime->router) {
        say(build, "out of memory");
        build->failed = true;
    }
    runtime->route_count = 0;
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        if (runtime->plugins[i]->state == GRC_LOAD_OK)
            runtime->route_count += runtime->plugins[i]->route_count;
    }
}

/* The admin listener serves what is built in: health, and what only operators may see. */
static void make_admin_router(struct build *build)
{
    struct grc_runtime *runtime = build->runtime;

    runtime->admin_router = grc_router_new();
    for (size_t i = 0; runtime->admin_router && i < runtime->plugin_count; i++) {
        if (!runtime->plugins[i]->settings && runtime->plugins[i]->state == GRC_LOAD_OK)
            add_plugin(build, runtime->admin_router, runtime->plugins[i]);
    }
    if (!runtime->admin_router)
        build->failed = true;
}

/* --- starting --- */

static bool needs_store(const struct grc_runtime *runtime)
{
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        if (runtime->plugins[i]->state == GRC_LOAD_OK && runtime->plugins[i]->desc->migrations)
            return true;
    }
    return false;
}

static bool open_store(struct build *build)
{
    struct grc_runtime *runtime = build->runtime;
    char *reason = NULL;

    if (!needs_store(runtime))
        return true;
    if (!runtime->settings->store) {
        say(build, "store: a plugin keeps data, but no store is configured");
        return false;
    }
    runtime->store = grc_store_open(runtime->settings->store, &reason);
    if (!runtime->store)
        say(build, "store: %s", reason ? reason : "out of memory");
    free(reason);
    return runtime->store != NULL;
}

static void migrate(struct build *build, struct grc_plugin *plugin)
{
    char *reason = NULL;

    if (!plugin->desc->migrations)
        return;
    enum gr_err err =
        grc_store_migrate(build->runtime->store, grc_plugin_schema(plugin), plugin->desc->migrations,
                          sizeof(struct gr_migration), &reason);
    if (err != GR_OK)
        drop_because(build, plugin, GRC_LOAD_INIT, "%s: the store cannot be migrated: %s",
                     plugin->file, reason ? reason : grc_err_doc(err));
    free(reason);
}

static void init_plugin(struct build *build, struct grc_plugin *plugin)
{
    migrate(build, plugin);
    if (plugin->state != GRC_LOAD_OK)
        return;
    enum gr_err err = plugin->desc->init
                          ? plugin->desc->init(&plugin->self, plugin->options, &plugin->instance)
                          : GR_OK;
    plugin->inited = err == GR_OK;
    if (err != GR_OK)
        drop_because(build, plugin, GRC_LOAD_INIT, "%s: init failed: %s", plugin->file,
                     grc_err_doc(err));
}

static void start_plugin(struct build *build, struct grc_plugin *plugin)
{
    enum gr_err err =
        plugin->desc->start ? plugin->desc->start(&plugin->self, plugin->instance) : GR_OK;

    plugin->started = err == GR_OK;
    if (err == GR_OK)
        err = grc_timers_start(plugin);
    if (err != GR_OK)
        drop_because(build, plugin, GRC_LOAD_START, "%s: start failed: %s", plugin->file,
                     grc_err_doc(err));
}

/* In order: every init, then the router of what is left, then every start. */
static void start_plugins(struct build *build)
{
    struct grc_runtime *runtime = build->runtime;

    if (!open_store(build)) {
        build->failed = true;
        return;
    }
    for (size_t i = 0; !build->failed && i < runtime->plugin_count; i++) {
        if (runtime->plugins[i]->state == GRC_LOAD_OK)
            init_plugin(build, runtime->plugins[i]);
    }
    for (size_t i = 0; !build->failed && i < runtime->plugin_count; i++) {
        if (runtime->plugins[i]->state == GRC_LOAD_OK)
            start_plugin(build, runtime->plugins[i]);
    }
    if (!build->failed)
        make_router(build); /* without those that were dropped on the way */
}

/* --- the whole --- */

static void stop_plugins(struct grc_runtime *runtime)
{
    for (size_t i = runtime->plugin_count; i-- > 0;) {
        struct grc_plugin *plugin = runtime->plugins[i];

        grc_timers_stop(plugin);
        if (plugin->started && plugin->desc->stop)
            plugin->desc->stop(&plugin->self, plugin->instance);
    }
    for (size_t i = runtime->plugin_count; i-- > 0;) {
        struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->inited && plugin->desc->fini)
            plugin->desc->fini(&plugin->self, plugin->instance);
    }
}

static void free_runtime(struct grc_runtime *runtime)
{
    stop_plugins(runtime);
    grc_router_free(runtime->router);
    grc_router_free(runtime->admin_router);
    for (size_t i = 0; i < runtime->plugin_count; i++)
        grc_plugin_free(runtime->plugins[i]);
    free(runtime->plugins);
    grc_upstreams_free(runtime->upstreams);
    grc_store_close(runtime->store);
    grc_settings_free(runtime->settings);
    free(runtime);
}

static void fill(struct build *build)
{
    struct grc_runtime *runtime = build->runtime;
    char *reason = NULL;

    runtime->upstreams = grc_upstreams_new(runtime->settings, &reason);
    if (!runtime->upstreams) {
        say(build, "upstreams: %s", reason ? reason : "out of memory");
        free(reason);
        build->failed = true;
        return;
    }
    load_plugins(build);
    check_upstreams(build);
    if (!build->failed)
        make_router(build);
    if (!build->failed)
        make_admin_router(build);
    if (!build->failed && build->stage == GRC_RUNTIME_SERVE)
        start_plugins(build);
}

struct grc_runtime *grc_runtime_new(const char *config_dir, enum grc_runtime_stage stage,
                                    grc_report_fn *report, void *arg)
{
    struct grc_runtime *runtime = calloc(1, sizeof(*runtime));
    struct build build = {.runtime = runtime, .stage = stage, .report = report, .arg = arg};

    if (!runtime)
        return NULL;
    atomic_init(&runtime->refs, 1);
    runtime->settings = grc_settings_load(config_dir, report, arg);
    if (!runtime->settings) {
        free(runtime);
        return NULL;
    }
    fill(&build);
    if (!build.failed)
        return runtime;
    free_runtime(runtime);
    return NULL;
}

struct grc_runtime *grc_runtime_ref(struct grc_runtime *runtime)
{
    atomic_fetch_add_explicit(&runtime->refs, 1, memory_order_relaxed);
    return runtime;
}

void grc_runtime_unref(struct grc_runtime *runtime)
{
    if (runtime && atomic_fetch_sub_explicit(&runtime->refs, 1, memory_order_acq_rel) == 1)
        free_runtime(runtime);
}
