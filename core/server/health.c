/* The builtin groups: health and metrics. */
#include "server/health.h"
#include "base/json.h"
#include "metrics/metrics.h"
#include "server/docs.h"
#include "server/metrics_page.h"
#include "server/readiness.h"
#include "server/status_page.h"

static enum gr_err ping(struct gr_call *pub)
{
    return gr_reply_json(pub, 200, json_pack("{s:s}", "message", "gateway is up"));
}

static enum gr_err healthz(struct gr_call *pub)
{
    return gr_reply_json(pub, 200, json_pack("{s:s}", "status", "ok"));
}

static const struct gr_route health_routes[] = {
    GR_GET("/", "health.ping", "Tell that the gateway is up", .access = GR_ACCESS_OPEN,
           .handle = ping),
    GR_GET("/healthz", "health.live", "Tell that the process serves requests",
           .access = GR_ACCESS_OPEN, .handle = healthz),
    GR_GET("/readyz", "health.ready", "Tell whether upstreams, store and groups can work",
           .access = GR_ACCESS_OPEN, .handle = grc_readiness_handle),
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

/* Not exported, unlike the descriptor that GR_PLUGIN() makes. */
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
    static const struct gr_plugin *const plugins[] = {&health, &metrics_group, &grc_docs_group,
                                                      &grc_status_group, NULL};

    return plugins;
}
