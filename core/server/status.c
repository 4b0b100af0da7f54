#include "server/status.h"

#include "guard/limits.h"
#include "http/http.h"
#include "plugin/module.h"
#include "upstream/remote.h"

#include <greenroom/version.h>
#include <unistd.h>

/* Members for which there is no memory are omitted, since nothing depends on them. */

static json_t *listener(const struct grc_listen *listen, unsigned port)
{
    return json_sprintf("%s://%s:%u", listen->tls ? "https" : "http", listen->address, port);
}

static json_t *listeners(const struct grc_settings *settings, const struct grc_http *http)
{
    json_t *list = json_array();

    for (size_t i = 0; i < settings->listen_count; i++)
        json_array_append_new(list, listener(&settings->listen[i], grc_http_port(http, i)));
    return list;
}

static const char *state_name(const struct grc_plugin *plugin)
{
    if (plugin->state == GRC_LOAD_OK)
        return "ok";
    return plugin->state == GRC_LOAD_DISABLED ? "disabled" : "left out";
}

/* The code that runs, which a file on disk need not be any more. */
static json_t *code(const struct grc_plugin *plugin)
{
    const struct grc_module *module = plugin->module;

    return json_pack("{s:s, s:i, s:I, s:b}", "build_id", grc_module_elf(module)->build_id,
                     "generation", (int)grc_module_generation(module), "loaded_at_ms",
                     (json_int_t)grc_module_loaded_ms(module), "stays",
                     grc_module_elf(module)->outlives != NULL);
}

json_t *grc_status_groups(const struct grc_runtime *runtime)
{
    json_t *list = json_array();

    for (size_t i = 0; i < runtime->plugin_count; i++) {
        const struct grc_plugin *plugin = runtime->plugins[i];
        bool loaded = plugin->state == GRC_LOAD_OK;

        if (!plugin->settings)
            continue; /* a builtin group */
        json_array_append_new(
            list,
            json_pack("{s:s, s:s?, s:s, s:I, s:s*, s:o*}", "name", plugin->settings->name,
                      "version", loaded ? plugin->desc->version : NULL, "state", state_name(plugin),
                      "routes", (json_int_t)(loaded ? plugin->route_count : 0), "reason",
                      plugin->reason, "code", loaded ? code(plugin) : NULL));
    }
    return list;
}

static void add_upstream(void *arg, const char *name, const char *state, const char *detail)
{
    (void)detail;
    json_array_append_new(arg, json_pack("{s:s, s:s}", "name", name, "state", state));
}

static json_t *upstreams(const struct grc_runtime *runtime)
{
    json_t *list = json_array();

    if (list)
        grc_upstreams_states(runtime->upstreams, add_upstream, list);
    return list;
}

static json_t *store(const struct grc_runtime *runtime)
{
    if (!runtime->store)
        return json_null();
    return json_pack("{s:s, s:b}", "kind", grc_store_kind(runtime->store), "reachable",
                     grc_store_ping(runtime->store) == GR_OK);
}

/* NULL when limits are not shared. */
static json_t *shared_limits(const struct grc_runtime *runtime)
{
    struct grc_shared *shared = runtime->limits->shared;
    char reason[256];

    if (!shared)
        return NULL;
    bool reached = grc_shared_works(shared, reason, sizeof(reason));
    return json_pack("{s:b, s:s, s:s*}", "reached", reached, "on_failure",
                     runtime->settings->limits.shared.closed ? "closed" : "local", "reason",
                     reached ? NULL : reason);
}

/* NULL when answers are not shared. */
static json_t *shared_cache(const struct grc_runtime *runtime)
{
    struct grc_remote *remote = grc_upstreams_shared(runtime->upstreams);
    char reason[256];

    if (!remote)
        return NULL;
    bool reached = grc_remote_works(remote, reason, sizeof(reason));
    return json_pack("{s:b, s:s*}", "reached", reached, "reason", reached ? NULL : reason);
}

json_t *grc_status(const struct grc_runtime *runtime, const struct grc_http *http,
                   const struct grc_http *admin, const struct grc_reload_state *reload,
                   int64_t uptime_ms)
{
    const struct grc_settings *settings = runtime->settings;

    return json_pack(
        "{s:s, s:i, s:s, s:I, s:{s:i, s:b, s:I}, s:o, s:o*, s:{s:i, s:i}, s:i, s:I, s:o, s:o, s:o, "
        "s:o*, s:o*}",
        "version", GR_VERSION, "pid", (int)getpid(), "config", settings->dir, "uptime_ms",
        (json_int_t)uptime_ms, "reload", "generation", (int)reload->generation, "failed",
        reload->failed, "at_ms", (json_int_t)reload->at_ms, "listen", listeners(settings, http),
        "admin", admin ? listener(&settings->admin, grc_http_port(admin, 0)) : NULL, "workers",
        "total", (int)grc_http_workers(http), "busy", (int)grc_http_active(http), "connections",
        (int)grc_http_connections(http), "routes", (json_int_t)runtime->route_count, "groups",
        grc_status_groups(runtime), "upstreams", upstreams(runtime), "store", store(runtime),
        "shared_limits", shared_limits(runtime), "shared_cache", shared_cache(runtime));
}
