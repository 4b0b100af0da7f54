#include "server/status_page.h"

#include "base/clock.h"
#include "base/log.h"
#include "loop/wait.h"
#include "metrics/metrics.h"
#include "server/group_tables.h"
#include "server/history.h"
#include "server/metrics_page.h"
#include "server/page.h"
#include "server/recent.h"

#include <greenroom/version.h>

/* Members that cannot be added for want of memory are left out: nothing is decided by them. */

/* --- parts --- */

static void add_listeners(void *arg, const struct grc_http *http, const struct grc_http *admin)
{
    const struct {
        const char *name;
        const struct grc_http *http;
    } all[] = {{"api", http}, {"admin", admin}};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].http)
            json_array_append_new(arg,
                                  json_pack("{s:s, s:i, s:i, s:i}", "name", all[i].name, "workers",
                                            (int)grc_http_workers(all[i].http), "requests",
                                            (int)grc_http_active(all[i].http), "connections",
                                            (int)grc_http_connections(all[i].http)));
    }
}

static json_t *listeners(void)
{
    json_t *list = json_array();

    grc_metrics_page_visit(add_listeners, list);
    return list;
}

static json_t *waits(void)
{
    json_t *object = json_object();

    for (enum grc_waits what = 0; what < GRC_WAITS_COUNT; what++)
        json_object_set_new(object, grc_waits_name(what),
                            json_integer((json_int_t)grc_waits_now(what)));
    return object;
}

/* What the breaker and the counters say; see grc_upstreams_states(). */
static void add_state(void *arg, const char *name, const char *state, const char *detail)
{
    (void)detail;
    json_object_set_new(arg, name, json_string(state));
}

static json_t *upstream_states(const struct grc_runtime *runtime)
{
    json_t *object = json_object();

    grc_upstreams_states(runtime->upstreams, add_state, object);
    return object;
}

static void add_plugin_metric(void *arg, const char *plugin, const char *name, const char *label,
                              int64_t value)
{
    if (json_array_size(arg) < 256)
        json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:I}", "group", plugin, "name", name,
                                             "label", label, "value", (json_int_t)value));
}

static json_t *plugin_metrics(void)
{
    json_t *list = json_array();

    grc_metrics_each_plugin_metric(add_plugin_metric, list);
    return list;
}

static void add_reject(void *arg, const char *reason, uint64_t count)
{
    if (count > 0)
        json_object_set_new(arg, reason, json_integer((json_int_t)count));
}

static json_t *rejects(void)
{
    json_t *object = json_object();

    grc_metrics_each_reject(add_reject, object);
    return object;
}

static json_t *certificate(void)
{
    int64_t end_s = grc_http_certificate_end_s();

    return end_s ? json_integer((json_int_t)end_s * 1000) : json_null();
}

/* Numbers of spans by outcome; null when traces are off. */
static json_t *spans(const struct grc_runtime *runtime)
{
    if (!runtime->tracer)
        return json_null();
    return json_pack(
        "{s:I, s:I}", "exported", (json_int_t)grc_spans_counted(GRC_SPANS_EXPORTED), "lost",
        (json_int_t)(grc_spans_counted(GRC_SPANS_DROPPED) + grc_spans_counted(GRC_SPANS_FAILED) +
                     grc_spans_counted(GRC_SPANS_REJECTED)));
}

/* --- the routes --- */

static enum gr_err status_json(struct gr_call *pub)
{
    struct grc_runtime *runtime = grc_call_of(pub)->runtime;
    struct grc_reload_state reload;

    grc_recent_state(&reload);
    (void)gr_reply_header(pub, "Cache-Control", GR_STR("no-store"));
    return gr_reply_json(
        pub, 200,
        json_pack("{s:s, s:I, s:I, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:s?, s:o, s:o, s:o, "
                  "s:o, s:o, s:I, s:o, s:o}",
                  "version", GR_VERSION, "now_ms", (json_int_t)grc_now_ms(), "uptime_ms",
                  (json_int_t)grc_history_uptime_ms(), "generation", (int)reload.generation,
                  "reload_failed", reload.failed, "listeners", listeners(), "waits", waits(),
                  "groups", grc_status_groups(runtime), "operations", grc_history_routes_json(),
                  "upstreams", grc_history_upstreams_json(), "upstream_states",
                  upstream_states(runtime), "store",
                  runtime->store ? grc_store_kind(runtime->store) : NULL, "rejected", rejects(),
                  "metrics", plugin_metrics(), "errors", grc_recent_errors_json(), "configs",
                  grc_recent_configs_json(), "certificate_end_ms", certificate(), "log_lines_lost",
                  (json_int_t)grc_log_lost(), "spans", spans(runtime), "tables",
                  grc_group_tables(runtime)));
}

static const char *const files[] = {"status.html", "status.css", "status.js", NULL};

static const struct gr_route routes[] = {
    GRC_PAGE_ROUTES("/status", "status", "Show what the gateway does", files),
    GR_GET("/status.json", "status.read", "Tell what the gateway does", .access = GR_ACCESS_OPEN,
           .handle = status_json),
    GR_END,
};

const struct gr_plugin grc_status_group = {
    .abi = GR_ABI,
    .name = "status",
    .version = "1.0.0",
    .licence = "MIT",
    .flags = GRC_PLUGIN_ADMIN,
    .summary = "What the gateway does",
    .routes = routes,
};
