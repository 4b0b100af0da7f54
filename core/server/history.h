/*
 * The last ten minutes of the counters of operations and upstreams, and of their sums, which a
 * thread reads every ten seconds. The number of operations and upstreams is limited: the first
 * with traffic are kept. Thread-safe.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts the thread that records the history. Returns false when that fails; then there is no
 * history. */
bool grc_history_start(void);
/* Ends the thread; does nothing if it does not run. */
void grc_history_stop(void);
/* The time since grc_history_start(), which is called when the gateway begins to serve. */
int64_t grc_history_uptime_ms(void);
/* Rates of all requests and upstream calls over the last minute, or since the start: {"over_ms",
 * "requests_per_s", "failed_per_s" (5xx), "refused_per_s", "mean_ms", "upstream_per_s",
 * "upstream_failed_per_s"}; empty when nothing is recorded. New reference; NULL without memory. */
json_t *grc_history_rates_json(void);
/* Operations, and upstreams, with traffic in the last ten minutes: name, group, total, failed,
 * per_s, failed_per_s, p50_ms, p95_ms, p99_ms, mean_ms, waited_ms, upstream_ms, points (calls in
 * each of the last 60 periods of 10 s, the newest last) and failed_points. New references. */
json_t *grc_history_routes_json(void);
json_t *grc_history_upstreams_json(void);
