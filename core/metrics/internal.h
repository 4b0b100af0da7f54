/* The counters, for the sources of core/metrics: metrics.c counts, prometheus.c writes the text
 * format and views.c reads for the host's own pages. */
#pragma once

#include "metrics/metrics.h"

#include <stdatomic.h>

/* Upper bounds of the buckets of every histogram in microseconds, and as Prometheus prints them.
 * The last bucket, for longer times than any bound, has none. */
#define GRC_METRICS_BOUNDS (GRC_METRICS_BUCKETS - 1)
struct grc_bucket {
    int64_t us;
    const char *label;
};
extern const struct grc_bucket grc_metrics_buckets[GRC_METRICS_BOUNDS];

struct grc_histogram {
    _Atomic uint64_t counts[GRC_METRICS_BUCKETS];
    _Atomic uint64_t sum_us;
};

#define STATUS_MIN 100
#define STATUS_COUNT 500

/* 4 KiB of counters for each operation; pages that are not touched cost no memory. */
struct grc_route_metrics {
    struct grc_route_metrics *next;
    char *id;
    char *group;
    struct grc_histogram took;
    _Atomic uint64_t waited_us;
    _Atomic uint64_t upstream_us;
    _Atomic uint64_t by_status[STATUS_COUNT];
};

#define ERRORS_MAX 64u

struct grc_upstream_metrics {
    struct grc_upstream_metrics *next;
    char *name;
    struct grc_histogram took;
    _Atomic uint64_t answers[6];         /* by first digit of the status */
    _Atomic uint64_t errors[ERRORS_MAX]; /* by negated enum gr_err */
    _Atomic uint64_t events[GRC_UPSTREAM_EVENT_COUNT];
};

/* A series of a plugin's own metric. */
struct grc_plugin_series {
    struct grc_plugin_series *next;
    char *help;
    char *label_name;
    enum gr_metric_kind kind;
    char *plugin;
    char *name;
    char *label;
    _Atomic int64_t value;
};

/* Lists only grow, at the head; readers walk them without a lock. */
struct grc_counters {
    _Atomic(struct grc_route_metrics *) routes;
    _Atomic(struct grc_upstream_metrics *) upstreams;
    _Atomic(struct grc_plugin_series *) series;
    _Atomic uint64_t rejected[GRC_REJECT_COUNT];
    _Atomic int in_flight;
    struct grc_histogram worker_waits[2]; /* of the main listeners, and the admin's */
};
extern struct grc_counters grc_counters;
/* The label of each reason for which requests are rejected. */
extern const char *const grc_reject_labels[GRC_REJECT_COUNT];

static inline uint64_t grc_counter_get(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}
