#include "server/runtime_build.h"

#include "auth/callers.h"
#include "auth/keys_store.h"
#include "base/file.h"
#include "base/log.h"
#include "call/call.h"
#include "call/timers.h"
#include "config/env.h"
#include "config/setting.h"
#include "config/source.h"
#include "doc/documents.h"
#include "guard/limits.h"
#include "idempotency/idempotency.h"
#include "idempotency/keeper.h"
#include "isolation/isolation.h"
#include "otlp/exporter.h"
#include "server/health.h"
#include "server/lifecycle.h"
#include "server/names.h"
#include "server/runtime_check.h"
#include "store/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static bool take_plugin(struct grc_runtime *runtime, struct grc_plugin *plugin,
                        const struct grc_reporter *reporter)
{
    if (!plugin) {
        grc_say(reporter, "out of memory");
        return false;
    }
    plugin->runtime = runtime;
    plugin->self.host = &grc_host;
    runtime->plugins[runtime->plugin_count++] = plugin;
    if (plugin->state == GRC_LOAD_DISABLED)
        return true;
    if (plugin->state != GRC_LOAD_OK) {
        grc_say(reporter, "%s%s", reporter->skips ? GRC_LEFT_OUT : "",
                plugin->reason ? plugin->reason : "out of memory");
        return reporter->skips;
    }
    return grc_runtime_check_unique(runtime, plugin, reporter);
}

/* Continues after a problem, so that all of them are reported. */
static bool load_plugins(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    const struct grc_settings *settings = runtime->settings;
    const struct gr_plugin *const *builtin = grc_builtin_plugins();
    size_t builtins = 0;
    bool fine = true;

    while (builtin[builtins])
        builtins++;
    runtime->plugins = calloc(settings->plugin_count + builtins, sizeof(*runtime->plugins));
    if (!runtime->plugins) {
        grc_say(reporter, "out of memory");
        return false;
    }
    for (size_t i = 0; i < builtins; i++) {
        if (!take_plugin(runtime, grc_plugin_builtin(builtin[i]), reporter))
            fine = false;
    }
    for (size_t i = 0; i < settings->plugin_count; i++) {
        if (!take_plugin(runtime, grc_plugin_load(settings, &settings->plugins[i]), reporter))
            fine = false;
    }
    return fine;
}

static bool make_upstreams(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    char *reason = NULL;

    runtime->upstreams = grc_upstreams_new(runtime->settings, &reason);
    if (!runtime->upstreams)
        grc_say(reporter, "%s/greenroom.json: %s", runtime->settings->dir,
                reason ? reason : "out of memory");
    free(reason);
    return runtime->upstreams != NULL;
}

static bool share_limits(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    const struct grc_path limits = {.name = "limits"};
    const struct grc_path path = {.up = &limits, .name = "shared"};
    char *reason = NULL;
    bool fine = grc_limits_share(runtime->limits, &reason);

    if (!fine)
        grc_source_say_main(runtime->settings->dir, &path, reporter->report, reporter->arg, "%s",
                            reason ? reason : "out of memory");
    free(reason);
    return fine;
}

/* Prepares the cache that gateways share, when a route keeps answers. */
static bool share_answers(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    char *reason = NULL;

    for (size_t i = 0; i < runtime->plugin_count; i++) {
        const struct grc_plugin *plugin = runtime->plugins[i];

        for (size_t k = 0; plugin->state == GRC_LOAD_OK && k < plugin->route_count; k++) {
            if (plugin->routes[k].cache.ttl_ms > 0)
                grc_upstreams_keep(runtime->upstreams, plugin->routes[k].forward->upstream);
        }
    }
    bool fine = grc_upstreams_share(runtime->upstreams, &reason);
    if (!fine)
        grc_say(reporter, "%s/greenroom.json: cache.shared: %s", runtime->settings->dir,
                reason ? reason : "out of memory");
    free(reason);
    return fine;
}

/* Makes authentication and limits. */
static bool make_guard(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    runtime->auth =
        grc_auth_new(runtime->settings, runtime->upstreams, reporter->report, reporter->arg);
    runtime->limits = grc_limits_new(runtime->settings);
    runtime->documents = grc_documents_new();
    if (!runtime->limits || !runtime->documents)
        grc_say(reporter, "out of memory");
    return runtime->auth && runtime->limits && runtime->documents &&
           share_limits(runtime, reporter);
}

/* In the process of an isolated group, spans go to the gateway, which knows the collector. */
static bool make_tracer(struct grc_runtime *runtime, enum grc_runtime_stage stage,
                        const struct grc_reporter *reporter)
{
    const struct grc_trace_settings *traces = &runtime->settings->traces;

    if (!traces->url || stage < GRC_RUNTIME_GROUP)
        return true;
    runtime->tracer = grc_tracer_new(traces);
    if (!runtime->tracer)
        grc_say(reporter, "traces: there is no memory or no descriptor for the queue");
    return runtime->tracer &&
           (stage == GRC_RUNTIME_GROUP ||
            grc_exporter_define(runtime->upstreams, traces, reporter->report, reporter->arg));
}

static bool build(struct grc_runtime *runtime, const char *config_dir, enum grc_runtime_stage stage,
                  struct grc_reporter *reporter)
{
    bool lenient = grc_env_lenient();

    /* A command calls no upstream, so the environment variables of the settings may be missing;
     * those of the plugins' options may not. */
    grc_env_lenient_set(lenient || stage == GRC_RUNTIME_COMMAND);
    runtime->settings = grc_settings_load(config_dir, reporter->report, reporter->arg);
    grc_env_lenient_set(lenient);
    if (!runtime->settings)
        return false;
    reporter->skips = runtime->settings->plugin_error_skips;
    bool whole = stage >= GRC_RUNTIME_READY;
    bool fine = make_upstreams(runtime, reporter);
    if (fine && whole)
        fine = make_guard(runtime, reporter);
    fine = fine && make_tracer(runtime, stage, reporter) && load_plugins(runtime, reporter);
    /* before routing, since a check may drop plugins */
    if (fine && whole)
        fine = grc_runtime_check(runtime, reporter) && share_answers(runtime, reporter);
    if (fine && stage == GRC_RUNTIME_CHECK)
        fine = grc_runtime_try_migrations(runtime, reporter);
    fine = fine && grc_runtime_route(runtime, reporter);
    return fine && (!whole || grc_names_check_config(runtime, reporter));
}

struct grc_runtime *grc_runtime_new(const char *config_dir, enum grc_runtime_stage stage,
                                    grc_report_fn *report, void *arg)
{
    struct grc_reporter reporter = {.report = report, .arg = arg};
    struct grc_runtime *runtime = calloc(1, sizeof(*runtime));

    if (!runtime) {
        grc_say(&reporter, "out of memory");
        return NULL;
    }
    atomic_init(&runtime->refs, 1);
    if (build(runtime, config_dir, stage, &reporter) &&
        (stage != GRC_RUNTIME_SERVE || grc_runtime_serve(runtime, report, arg)))
        return runtime;
    grc_runtime_unref(runtime);
    return NULL;
}

/* --- the store --- */

static bool needs_store(const struct grc_runtime *runtime)
{
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        const struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state == GRC_LOAD_OK && plugin->desc->migrations)
            return true;
    }
    return runtime->settings->auth.keys_in_store || grc_idempotency_wanted(runtime);
}

static bool migrate(struct grc_runtime *runtime, struct grc_plugin *plugin,
                    const struct grc_reporter *reporter)
{
    char *reason = NULL;

    if (plugin->state != GRC_LOAD_OK || !plugin->desc->migrations)
        return true;
    enum gr_err err =
        grc_store_migrate(runtime->store, grc_plugin_migrations_name(plugin),
                          plugin->desc->migrations, sizeof(struct gr_migration), &reason);
    bool fine =
        err == GR_OK || grc_plugin_drop(reporter, plugin, GRC_LOAD_INIT, "%s: store: %s",
                                        plugin->file, reason ? reason : "the migration failed");
    free(reason);
    return fine;
}

static bool start_keeper(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    char *reason = NULL;

    if (!grc_idempotency_wanted(runtime))
        return true;
    runtime->keeper = grc_idempotency_start(runtime, &reason);
    if (!runtime->keeper)
        grc_say(reporter, "store: %s", reason ? reason : "out of memory");
    free(reason);
    return runtime->keeper != NULL;
}

/* serves: whether to make the tables, and to keep looking for changes of the keys. */
static bool read_keys(struct grc_runtime *runtime, bool serves, const struct grc_reporter *reporter)
{
    char *reason = NULL;
    bool fine = !serves || grc_keys_store_migrate(runtime->store, &reason) == GR_OK;

    fine = fine &&
           grc_auth_read_store(runtime->auth, runtime->settings, runtime->store, serves, &reason);
    if (!fine)
        grc_say(reporter, "API keys in the store: %s", reason ? reason : "out of memory");
    free(reason);
    return fine;
}

/* The directory will have keys and data, so other users may not enter it. */
static bool make_state_dir(const char *path, const struct grc_reporter *reporter)
{
    if (grc_directory_make(path))
        return true;
    grc_say(reporter, "state_directory: %s: %s", path, strerror(errno));
    return false;
}

bool grc_runtime_open_store(struct grc_runtime *runtime, grc_report_fn *report, void *arg)
{
    const struct grc_reporter reporter = {.report = report, .arg = arg};
    const struct grc_settings *settings = runtime->settings;
    char *reason = NULL;

    if (runtime->store)
        return true;
    if (!make_state_dir(settings->state_dir, &reporter))
        return false;
    if (settings->store)
        runtime->store = grc_store_open(settings->store, &reason);
    else
        grc_say(&reporter, "store: a group keeps data, but no store is configured");
    if (!runtime->store && settings->store)
        grc_say(&reporter, "store: %s", reason ? reason : "out of memory");
    free(reason);
    return runtime->store != NULL;
}

bool grc_runtime_read_keys(struct grc_runtime *runtime, grc_report_fn *report, void *arg)
{
    const struct grc_reporter reporter = {.report = report, .arg = arg};

    return !runtime->settings->auth.keys_in_store ||
           (grc_runtime_open_store(runtime, report, arg) && read_keys(runtime, false, &reporter));
}

bool grc_runtime_try(struct grc_runtime *runtime, grc_report_fn *report, void *arg)
{
    const struct grc_settings *settings = runtime->settings;
    const struct grc_reporter reporter = {
        .report = report, .arg = arg, .skips = settings->plugin_error_skips};
    char *reason = NULL;

    /* A failure is reported when the store is needed. */
    if (settings->store && needs_store(runtime) && grc_store_is_file(settings->store))
        runtime->store = grc_store_open(settings->store, &reason);
    free(reason);
    return grc_runtime_try_migrations(runtime, &reporter);
}

static bool prepare_store(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    if (!make_state_dir(runtime->settings->state_dir, reporter))
        return false;
    if (!needs_store(runtime))
        return true;
    if (!grc_runtime_open_store(runtime, reporter->report, reporter->arg))
        return false;
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        if (!migrate(runtime, runtime->plugins[i], reporter))
            return false;
    }
    if (runtime->settings->auth.keys_in_store && !read_keys(runtime, true, reporter))
        return false;
    /* The first reading is made while the store answers, so that no request waits for it. */
    (void)grc_store_now_ms(runtime->store, NULL);
    return start_keeper(runtime, reporter);
}

static bool start_limits(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    bool fine = grc_limits_start(runtime->limits);

    if (!fine)
        grc_say(reporter, "limits.shared: there is no thread for it");
    return fine;
}

static bool start_sharing(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    bool fine = grc_upstreams_share_start(runtime->upstreams);

    if (!fine)
        grc_say(reporter, "cache.shared: there is no thread for it");
    return fine;
}

static bool start_exporter(struct grc_runtime *runtime, const struct grc_reporter *reporter)
{
    if (!runtime->tracer)
        return true;
    runtime->exporter =
        grc_exporter_start(runtime->tracer, runtime->upstreams, &runtime->settings->traces);
    if (!runtime->exporter)
        grc_say(reporter, "traces: there is no memory for the exporter");
    return runtime->exporter != NULL;
}

bool grc_runtime_serve(struct grc_runtime *runtime, grc_report_fn *report, void *arg)
{
    const struct grc_reporter reporter = {
        .report = report, .arg = arg, .skips = runtime->settings->plugin_error_skips};

    if (grc_auth_open(runtime->auth))
        grc_info(
            "no provider under \"auth\": every client that reaches the listener is 'anonymous' "
            "and may do everything");
    return prepare_store(runtime, &reporter) && start_limits(runtime, &reporter) &&
           start_sharing(runtime, &reporter) && start_exporter(runtime, &reporter) &&
           grc_plugins_begin(runtime, &reporter);
}

/* --- while it serves --- */

void grc_runtime_log(void *arg, const char *line)
{
    (void)arg;
    if (strncmp(line, GRC_LEFT_OUT, strlen(GRC_LEFT_OUT)) == 0)
        grc_warn("%s", line);
    else
        grc_error("%s", line);
}

size_t grc_runtime_group_count(const struct grc_runtime *runtime)
{
    size_t count = 0;

    for (size_t i = 0; i < runtime->plugin_count; i++)
        count += runtime->plugins[i]->state == GRC_LOAD_OK && runtime->plugins[i]->module;
    return count;
}

void grc_runtime_quiet(struct grc_runtime *runtime)
{
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        grc_plugin_timers_stop(runtime->plugins[i]);
        grc_isolation_quiet(runtime->plugins[i]);
    }
}

void grc_runtime_unref(struct grc_runtime *runtime)
{
    if (!runtime || !grc_runtime_drop(runtime))
        return;
    grc_plugins_end(runtime);
    grc_exporter_stop(runtime->exporter);
    grc_keeper_free(runtime->keeper); /* its thread reads the names of plugins */
    grc_router_free(runtime->router);
    grc_router_free(runtime->admin_router);
    for (size_t i = 0; i < runtime->plugin_count; i++)
        grc_plugin_free(runtime->plugins[i]);
    free(runtime->plugins);
    grc_documents_free(runtime->documents);
    grc_limits_free(runtime->limits);
    grc_auth_free(runtime->auth);
    grc_upstreams_free(runtime->upstreams);
    grc_store_close(runtime->store);
    grc_tracer_free(runtime->tracer);
    grc_settings_free(runtime->settings);
    free(runtime);
}
