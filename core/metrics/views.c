/* Reads the counters for the status page, its history and `greenroom status`. */
#include "metrics/internal.h"

static void view_histogram(struct grc_metrics_view *view, struct grc_histogram *histogram)
{
    view->sum_us = grc_counter_get(&histogram->sum_us);
    for (size_t i = 0; i < GRC_METRICS_BUCKETS; i++) {
        view->buckets[i] = grc_counter_get(&histogram->counts[i]);
        view->total += view->buckets[i];
    }
}

void grc_metrics_each_route(grc_metrics_view_fn *visit, void *arg)
{
    for (struct grc_route_metrics *at = atomic_load(&grc_counters.routes); at; at = at->next) {
        struct grc_metrics_view view = {.name = at->id, .group = at->group};

        view_histogram(&view, &at->took);
        view.waited_us = grc_counter_get(&at->waited_us);
        view.upstream_us = grc_counter_get(&at->upstream_us);
        for (int i = 500 - STATUS_MIN; view.total > 0 && i < STATUS_COUNT; i++)
            view.failed += grc_counter_get(&at->by_status[i]);
        visit(arg, &view);
    }
}

void grc_metrics_each_upstream(grc_metrics_view_fn *visit, void *arg)
{
    for (struct grc_upstream_metrics *at = atomic_load(&grc_counters.upstreams); at;
         at = at->next) {
        struct grc_metrics_view view = {.name = at->name,
                                        .failed = grc_counter_get(&at->answers[5])};

        view_histogram(&view, &at->took);
        for (size_t i = 0; i < ERRORS_MAX; i++)
            view.failed += grc_counter_get(&at->errors[i]);
        visit(arg, &view);
    }
}

static void add_route(void *arg, const struct grc_metrics_view *view)
{
    struct grc_metrics_totals *totals = arg;

    totals->requests += view->total;
    totals->failed += view->failed;
    totals->took_us += view->sum_us;
}

static void add_upstream(void *arg, const struct grc_metrics_view *view)
{
    struct grc_metrics_totals *totals = arg;

    totals->upstream_calls += view->total;
    totals->upstream_failed += view->failed;
}

void grc_metrics_totals(struct grc_metrics_totals *ret_totals)
{
    *ret_totals = (struct grc_metrics_totals){.requests = 0};
    grc_metrics_each_route(add_route, ret_totals);
    grc_metrics_each_upstream(add_upstream, ret_totals);
    for (size_t i = 0; i < GRC_REJECT_COUNT; i++)
        ret_totals->refused += grc_counter_get(&grc_counters.rejected[i]);
}

double grc_metrics_quantile_ms(const uint64_t counts[GRC_METRICS_BUCKETS], double q)
{
    uint64_t total = 0;
    double below = 0;

    for (size_t i = 0; i < GRC_METRICS_BUCKETS; i++)
        total += counts[i];
    for (size_t i = 0; total > 0 && i < GRC_METRICS_BOUNDS; i++) {
        double from = i ? (double)grc_metrics_buckets[i - 1].us : 0;

        if (counts[i] && below + (double)counts[i] >= q * (double)total)
            return (from + ((double)grc_metrics_buckets[i].us - from) *
                               (q * (double)total - below) / (double)counts[i]) /
                   1000.0;
        below += (double)counts[i];
    }
    return total ? (double)grc_metrics_buckets[GRC_METRICS_BOUNDS - 1].us / 1000.0 : 0;
}

void grc_metrics_each_plugin_metric(grc_metrics_plugin_fn *visit, void *arg)
{
    for (struct grc_plugin_series *at = atomic_load(&grc_counters.series); at; at = at->next)
        visit(arg, at->plugin, at->name, at->label,
              atomic_load_explicit(&at->value, memory_order_relaxed));
}

void grc_metrics_each_reject(grc_metrics_reject_fn *visit, void *arg)
{
    for (size_t i = 0; i < GRC_REJECT_COUNT; i++)
        visit(arg, grc_reject_labels[i], grc_counter_get(&grc_counters.rejected[i]));
}
