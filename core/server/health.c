/* The groups every gateway has: is it up, can it work, what are its metrics. */
#include "server/health.h"
#include "base/json.h"
#include "metrics/metrics.h"
#include "server/metrics_page.h"

#include <stdlib.h>

static enum gr_err ping(struct gr_call *pub)
{
    return gr_reply_json(pub, 200, json_pack("{s:s}", "message", "gateway is up"));
}

static enum gr_err healthz(struct gr_call *pub)
{
    return gr_reply_json(pub, 200, json_pack("{s:s}", "status", "ok"));
}

/* --- readyz --- */

struct readiness {
    json_t *checks;
    bool ready;
};

static void note(struct readiness *readiness, const char *kind, const char *name,
                 const char *trouble)
{
    json_t *check = json_pack("{s:s, s:s, s:s}", "kind", kind, "name", name, "status",
                              trouble ? "failing" : "ok");

    if (check && trouble)
        json_object_set_new(check, "reason", json_string(trouble));
    json_array_append_new(readiness->checks, check);
    if (trouble)
        readiness->ready = false;
}

/* An upstream whose breaker is not closed, or whose last call failed, is trouble. */
static void note_upstream(void *arg, const char *name, const char *state, const char *detail)
{
    bool fine = strcmp(state, "ok") == 0 || strcmp(state, "unused") == 0;

    (void)detail; /* metrics, of no use to a probe */
    /* Where an issuer publishes its keys: the ones at hand go on working. */
    if (strncmp(name, "jwks:", 5) == 0)
        return;
    note(arg, "upstream", name, fine ? NULL : state);
}

static void note_plugin(struct readiness *readiness, struct grc_runtime *runtime,
                        struct grc_plugin *plugin)
{
    struct grc_call *call = calloc(1, sizeof(*call));

    if (!call) {
        note(readiness, "group", plugin->self.name, "out of memory");
        return;
    }
    grc_call_begin(call, runtime, plugin);
    enum gr_err err = plugin->desc->ready(&call->pub);
    note(readiness, "group", plugin->self.name,
         err == GR_OK          ? NULL
         : call->error.message ? call->error.message
                               : "not ready");
    grc_call_done(call);
    free(call);
}

static enum gr_err readyz(struct gr_call *pub)
{
    struct grc_call *call = grc_call_of(pub);
    struct grc_runtime *runtime = call->runtime;
    struct readiness readiness = {.checks = json_array(), .ready = true};

    if (call->request->draining)
        note(&readiness, "gateway", "greenroom", "shutting down");
    grc_upstreams_probe(runtime->upstreams, &call->arena);
    grc_upstreams_states(runtime->upstreams, note_upstream, &readiness);
    if (runtime->store)
        note(&readiness, "store", grc_store_kind(runtime->store),
             grc_store_ping(runtime->store) == GR_OK ? NULL : "cannot be reached");
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state == GRC_LOAD_OK && plugin->desc->ready)
            note_plugin(&readiness, runtime, plugin);
    }
    return gr_reply_json(pub, readiness.ready ? 200 : 503,
                         json_pack("{s:s, s:o}", "status", readiness.ready ? "ready" : "not ready",
                                   "checks", readiness.checks));
}

static const struct gr_route health_routes[] = {
    GR_GET("/", "health.ping", "Tell that the gateway is up", .access = GR_ACCESS_OPEN,
           .handle = ping),
    GR_GET("/healthz", "health.live", "Tell that the process serves requests",
           .access = GR_ACCESS_OPEN, .handle = healthz),
    GR_GET("/readyz", "health.ready", "Tell whether upstreams, store and groups can work",
           .access = GR_ACCESS_OPEN, .handle = readyz),
    GR_END,
};

/* --- metrics --- */

static void free_buf(void *buf)
{
    grc_buf_done(buf);
}

static enum gr_err metrics(struct gr_call *pub)
{
    struct grc_buf *out = gr_alloc(pub, sizeof(*out));

    if (!out)
        return gr_fail(pub, GR_ERR_NO_MEMORY, "no memory for the metrics");
    grc_buf_init(out, (size_t)16 * 1024 * 1024);
    enum gr_err err = gr_defer(pub, free_buf, out);
    if (err != GR_OK)
        return gr_fail(pub, err, "no memory for the metrics");
    grc_metrics_render(out, grc_metrics_page_collect, grc_call_of(pub)->runtime);
    return gr_reply(pub, 200, "text/plain; version=0.0.4; charset=utf-8", grc_buf_view(out));
}

static const struct gr_route metrics_routes[] = {
    GR_GET("/metrics", "metrics.list", "List the metrics in the Prometheus text format",
           .access = GR_ACCESS_OPEN, .handle = metrics),
    GR_END,
};

/* Not exported: these descriptors never leave the host. */
#define BUILTIN(...)                                                                               \
    {                                                                                              \
        .abi = GR_ABI, __VA_ARGS__                                                                 \
    }

static const struct gr_plugin health =
    BUILTIN(.name = "health", .version = "1.0.0", .licence = "MIT",
            .summary = "Whether the gateway is up and ready", .routes = health_routes);
static const struct gr_plugin metrics_group =
    BUILTIN(.name = "metrics", .version = "1.0.0", .licence = "MIT", .flags = GRC_PLUGIN_ADMIN,
            .summary = "The metrics of the gateway", .routes = metrics_routes);

const struct gr_plugin *const *grc_builtin_plugins(void)
{
    static const struct gr_plugin *const plugins[] = {&health, &metrics_group, NULL};

    return plugins;
}
