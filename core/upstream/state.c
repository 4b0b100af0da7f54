/* The state of the upstreams, for readiness and metrics. */
#include "upstream/internal.h"

#include "base/clock.h"
#include "base/err.h"

#include <stdio.h>

#define PROBE_TIMEOUT_MS 1000
#define PROBE_EVERY_MS 1000

static const char *state_of(const struct grc_upstream *upstream)
{
    if (grc_breaker_state(&upstream->breaker) == GRC_BREAKER_OPEN)
        return "open";
    if (grc_breaker_state(&upstream->breaker) == GRC_BREAKER_HALF_OPEN)
        return "half_open";
    if (atomic_load(&upstream->calls) == 0)
        return "unused";
    return atomic_load(&upstream->last_err) == GR_OK ? "ok" : "failing";
}

void grc_upstreams_states(struct grc_upstreams *all, grc_upstream_state_fn *report, void *arg)
{
    for (size_t i = 0; i < all->count; i++) {
        struct grc_upstream *upstream = all->list[i];
        char detail[160];

        snprintf(detail, sizeof(detail),
                 "last=%s calls=%llu failures=%llu retries=%llu in_flight=%lld",
                 grc_err_slug((enum gr_err)atomic_load(&upstream->last_err)),
                 (unsigned long long)atomic_load(&upstream->calls),
                 (unsigned long long)atomic_load(&upstream->failures),
                 (unsigned long long)atomic_load(&upstream->retries),
                 (long long)atomic_load(&upstream->in_flight));
        report(arg, upstream->settings->name, state_of(upstream), detail);
    }
}

/* --- probes --- */

static bool in_trouble(const struct grc_upstream *upstream)
{
    return grc_breaker_state(&upstream->breaker) != GRC_BREAKER_CLOSED ||
           (atomic_load(&upstream->calls) > 0 && atomic_load(&upstream->last_err) != GR_OK);
}

static void probe(struct grc_upstream *upstream, struct grc_arena *arena)
{
    int64_t now_ms = grc_mono_ms();
    int64_t last_ms = atomic_load(&upstream->probed_ms);
    struct grc_exchange exchange = {
        .upstream = upstream->settings->name,
        .method = GR_METHOD_GET,
        .target = GR_STR("/"),
        .no_credential = true,
        .timeout_ms = PROBE_TIMEOUT_MS,
        .group = "core",
        .arena = arena,
    };

    if (!in_trouble(upstream) || (last_ms && now_ms - last_ms < PROBE_EVERY_MS) ||
        !atomic_compare_exchange_strong(&upstream->probed_ms, &last_ms, now_ms))
        return;
    /* Any answer shows that the upstream is back. The breaker counts this call like any other. */
    grc_run_single(upstream, &exchange);
}

void grc_upstreams_probe(struct grc_upstreams *all, struct grc_arena *arena)
{
    for (size_t i = 0; i < all->count; i++)
        probe(all->list[i], arena);
}

/* --- metrics --- */

static void gauge(struct grc_buf *out, const struct grc_upstreams *all, const char *name,
                  const char *help, double (*value)(const struct grc_upstream *upstream))
{
    char labels[128];

    grc_metrics_head(out, name, "gauge", help);
    for (size_t i = 0; i < all->count; i++) {
        snprintf(labels, sizeof(labels), "upstream=\"%.100s\"", all->list[i]->settings->name);
        grc_metrics_sample(out, name, labels, value(all->list[i]));
    }
}

static double breaker_value(const struct grc_upstream *upstream)
{
    return (double)grc_breaker_state(&upstream->breaker);
}

static double in_flight_value(const struct grc_upstream *upstream)
{
    return (double)atomic_load(&upstream->in_flight);
}

static double waiting_value(const struct grc_upstream *upstream)
{
    return (double)atomic_load(&upstream->waiting);
}

static double requests_max_value(const struct grc_upstream *upstream)
{
    return (double)upstream->requests_max;
}

void grc_upstreams_metrics(struct grc_upstreams *all, struct grc_buf *out)
{
    gauge(out, all, "upstream_breaker_state", "State of the breaker: 0 closed, 1 open, 2 half open",
          breaker_value);
    gauge(out, all, "upstream_calls_in_flight", "Calls being made", in_flight_value);
    gauge(out, all, "upstream_requests_waiting", "Requests that wait for the upstream",
          waiting_value);
    gauge(out, all, "upstream_requests_max", "Requests that may wait for the upstream",
          requests_max_value);
    grc_metrics_head(out, "cache_bytes", "gauge", "Memory of answers in the cache");
    grc_metrics_sample(out, "cache_bytes", NULL,
                       all->cache ? (double)grc_cache_bytes(all->cache) : 0);
}
