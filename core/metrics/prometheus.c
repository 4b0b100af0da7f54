/* Writes the counters in the text format of Prometheus. */
#include "base/err.h"
#include "metrics/internal.h"

#include <stddef.h>

void grc_metrics_label(struct grc_buf *out, const char *name, const char *value, const char *after)
{
    (void)grc_buf_format(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n') {
            (void)grc_buf_text(out, "\\n");
            continue;
        }
        if (*value == '"' || *value == '\\')
            (void)grc_buf_char(out, '\\');
        (void)grc_buf_char(out, *value);
    }
    (void)grc_buf_format(out, "\"%s", after);
}

void grc_metrics_head(struct grc_buf *out, const char *name, const char *type, const char *help)
{
    (void)grc_buf_format(out, "# HELP greenroom_%s %s\n# TYPE greenroom_%s %s\n", name, help, name,
                         type);
}

void grc_metrics_sample(struct grc_buf *out, const char *name, const char *labels, double value)
{
    (void)grc_buf_format(out, "greenroom_%s%s%s%s %.17g\n", name, labels ? "{" : "",
                         labels ? labels : "", labels ? "}" : "", value);
}

/* An empty histogram is not written. */
static bool is_empty(struct grc_histogram *histogram)
{
    for (size_t i = 0; i < GRC_METRICS_BUCKETS; i++) {
        if (grc_counter_get(&histogram->counts[i]))
            return false;
    }
    return true;
}

static void render_histogram(struct grc_buf *out, const char *name, const char *label,
                             const char *value, struct grc_histogram *histogram)
{
    uint64_t total = 0;

    if (is_empty(histogram))
        return;
    for (size_t i = 0; i < GRC_METRICS_BOUNDS; i++) {
        total += grc_counter_get(&histogram->counts[i]);
        (void)grc_buf_format(out, "greenroom_%s_bucket{%s=\"%s\",le=\"%s\"} %llu\n", name, label,
                             value, grc_metrics_buckets[i].label, (unsigned long long)total);
    }
    total += grc_counter_get(&histogram->counts[GRC_METRICS_BOUNDS]);
    (void)grc_buf_format(out,
                         "greenroom_%s_bucket{%s=\"%s\",le=\"+Inf\"} %llu\n"
                         "greenroom_%s_sum{%s=\"%s\"} %.6f\n"
                         "greenroom_%s_count{%s=\"%s\"} %llu\n",
                         name, label, value, (unsigned long long)total, name, label, value,
                         (double)grc_counter_get(&histogram->sum_us) / 1e6, name, label, value,
                         (unsigned long long)total);
}

static void render_routes(struct grc_buf *out)
{
    grc_metrics_head(out, "requests_total", "counter", "Requests answered");
    for (struct grc_route_metrics *at = atomic_load(&grc_counters.routes); at; at = at->next) {
        for (int i = 0; i < STATUS_COUNT; i++) {
            uint64_t count = grc_counter_get(&at->by_status[i]);

            if (count)
                (void)grc_buf_format(
                    out,
                    "greenroom_requests_total{operation=\"%s\",group=\"%s\",status=\"%d\"} %llu\n",
                    at->id, at->group, i + STATUS_MIN, (unsigned long long)count);
        }
    }
    grc_metrics_head(out, "request_duration_seconds", "histogram",
                     "From the request's first byte to its answer");
    for (struct grc_route_metrics *at = atomic_load(&grc_counters.routes); at; at = at->next)
        render_histogram(out, "request_duration_seconds", "operation", at->id, &at->took);
}

static void render_worker_waits(struct grc_buf *out)
{
    static const char *const listeners[] = {"main", "admin"};

    grc_metrics_head(out, "worker_wait_seconds", "histogram",
                     "From a request's whole head until a worker was free for it");
    for (size_t i = 0; i < 2; i++)
        render_histogram(out, "worker_wait_seconds", "listener", listeners[i],
                         &grc_counters.worker_waits[i]);
}

/* Writes a sum of microseconds that stands at an offset of each operation's counters. */
static void render_seconds(struct grc_buf *out, const char *name, size_t offset, const char *help)
{
    grc_metrics_head(out, name, "counter", help);
    for (struct grc_route_metrics *at = atomic_load(&grc_counters.routes); at; at = at->next) {
        uint64_t us = grc_counter_get((_Atomic uint64_t *)((char *)at + offset));

        if (us)
            (void)grc_buf_format(out, "greenroom_%s{operation=\"%s\"} %.6f\n", name, at->id,
                                 (double)us / 1e6);
    }
}

static void render_outcome(struct grc_buf *out, const char *upstream, const char *outcome,
                           uint64_t count)
{
    if (count)
        (void)grc_buf_format(
            out, "greenroom_upstream_calls_total{upstream=\"%s\",outcome=\"%s\"} %llu\n", upstream,
            outcome, (unsigned long long)count);
}

static void render_upstream_calls(struct grc_buf *out)
{
    static const char *const classes[] = {"other", "1xx", "2xx", "3xx", "4xx", "5xx"};

    grc_metrics_head(out, "upstream_calls_total", "counter", "Calls to upstreams, by outcome");
    for (struct grc_upstream_metrics *at = atomic_load(&grc_counters.upstreams); at;
         at = at->next) {
        for (size_t i = 0; i < 6; i++)
            render_outcome(out, at->name, classes[i], grc_counter_get(&at->answers[i]));
        for (size_t i = 0; i < ERRORS_MAX; i++)
            render_outcome(out, at->name, grc_err_slug((enum gr_err) - (int)i),
                           grc_counter_get(&at->errors[i]));
    }
    grc_metrics_head(out, "upstream_duration_seconds", "histogram", "Calls to upstreams");
    for (struct grc_upstream_metrics *at = atomic_load(&grc_counters.upstreams); at; at = at->next)
        render_histogram(out, "upstream_duration_seconds", "upstream", at->name, &at->took);
}

static void render_upstream_events(struct grc_buf *out)
{
    static const struct {
        const char *name;
        const char *help;
    } rows[] = {
#define ROW(name, metric, help) {"upstream_" metric, help},
        GRC_UPSTREAM_EVENT_LIST(ROW)
#undef ROW
    };

    for (size_t i = 0; i < GRC_UPSTREAM_EVENT_COUNT; i++) {
        grc_metrics_head(out, rows[i].name, "counter", rows[i].help);
        for (struct grc_upstream_metrics *at = atomic_load(&grc_counters.upstreams); at;
             at = at->next)
            (void)grc_buf_format(out, "greenroom_%s{upstream=\"%s\"} %llu\n", rows[i].name,
                                 at->name, (unsigned long long)grc_counter_get(&at->events[i]));
    }
}

static void render_rejects(struct grc_buf *out)
{
    grc_metrics_head(out, "rejected_total", "counter", "Requests rejected, by reason");
    for (size_t i = 0; i < GRC_REJECT_COUNT; i++)
        (void)grc_buf_format(out, "greenroom_rejected_total{reason=\"%s\"} %llu\n",
                             grc_reject_labels[i],
                             (unsigned long long)grc_counter_get(&grc_counters.rejected[i]));
    grc_metrics_head(out, "requests_in_flight", "gauge", "Requests being served");
    grc_metrics_sample(out, "requests_in_flight", NULL,
                       atomic_load_explicit(&grc_counters.in_flight, memory_order_relaxed));
}

static bool first_of_name(const struct grc_plugin_series *at)
{
    for (struct grc_plugin_series *other = atomic_load(&grc_counters.series); other != at;
         other = other->next) {
        if (strcmp(other->plugin, at->plugin) == 0 && strcmp(other->name, at->name) == 0)
            return false;
    }
    return true;
}

static void render_one_series(struct grc_buf *out, struct grc_plugin_series *at)
{
    long long value = (long long)atomic_load_explicit(&at->value, memory_order_relaxed);

    (void)grc_buf_format(out, "greenroom_%s_%s", at->plugin, at->name);
    if (at->label_name) {
        (void)grc_buf_char(out, '{');
        grc_metrics_label(out, at->label_name, at->label, "}");
    }
    (void)grc_buf_format(out, " %lld\n", value);
}

static void render_plugins(struct grc_buf *out)
{
    for (struct grc_plugin_series *at = atomic_load(&grc_counters.series); at; at = at->next) {
        if (!first_of_name(at))
            continue;
        (void)grc_buf_format(out, "# HELP greenroom_%s_%s %s\n# TYPE greenroom_%s_%s %s\n",
                             at->plugin, at->name, at->help ? at->help : "", at->plugin, at->name,
                             at->kind == GR_GAUGE ? "gauge" : "counter");
        for (struct grc_plugin_series *of = at; of; of = of->next) {
            if (strcmp(of->plugin, at->plugin) == 0 && strcmp(of->name, at->name) == 0)
                render_one_series(out, of);
        }
    }
}

void grc_metrics_render(struct grc_buf *out, grc_collect_fn *collect, void *arg)
{
    render_routes(out);
    render_worker_waits(out);
    render_seconds(out, "request_wait_seconds_total", offsetof(struct grc_route_metrics, waited_us),
                   "Time that requests waited for a worker before they began");
    render_seconds(out, "request_upstream_seconds_total",
                   offsetof(struct grc_route_metrics, upstream_us),
                   "Time of requests that their calls to upstreams took");
    render_upstream_calls(out);
    render_upstream_events(out);
    render_rejects(out);
    render_plugins(out);
    if (collect)
        collect(arg, out);
}
