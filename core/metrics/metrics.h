/*
 * Metrics in the Prometheus text format. Series live as long as the process, so that a reload does
 * not reset them. Counting is lock-free; making a series takes a lock. All functions are
 * thread-safe and never fail: without memory a value is not counted.
 */
#pragma once

#include "base/buf.h"

/* The reasons for which requests are rejected. */
#define GRC_REJECT_LIST(X)                                                                         \
    X(GRC_REJECT_FRAMING, "framing")                                                               \
    X(GRC_REJECT_TLS, "tls")                                                                       \
    X(GRC_REJECT_SHED, "workers")                                                                  \
    X(GRC_REJECT_DRAINING, "draining")                                                             \
    X(GRC_REJECT_ROUTE, "no_route")                                                                \
    X(GRC_REJECT_AUTH, "unauthorized")                                                             \
    X(GRC_REJECT_SCOPE, "scope")                                                                   \
    X(GRC_REJECT_RATE, "rate")                                                                     \
    X(GRC_REJECT_CONCURRENCY, "concurrency")                                                       \
    X(GRC_REJECT_BODY, "body")                                                                     \
    X(GRC_REJECT_SLOW, "slow")                                                                     \
    X(GRC_REJECT_GROUP, "group")                                                                   \
    X(GRC_REJECT_INVALID, "invalid")

enum grc_reject {
#define GRC_REJECT_ENUM(name, label) name,
    GRC_REJECT_LIST(GRC_REJECT_ENUM)
#undef GRC_REJECT_ENUM
        GRC_REJECT_COUNT
};

/* Events that are counted for each upstream: identifier, metric, help. */
#define GRC_UPSTREAM_EVENT_LIST(X)                                                                 \
    X(GRC_UPSTREAM_RETRY, "retries_total", "Retries of calls")                                     \
    X(GRC_UPSTREAM_RENEWAL, "token_renewals_total", "Management tokens minted")                    \
    X(GRC_UPSTREAM_SHARED, "single_flight_total", "Calls that shared the answer to another call")  \
    X(GRC_UPSTREAM_CACHE_HIT, "cache_hits_total", "Calls answered from the cache")                 \
    X(GRC_UPSTREAM_CACHE_STALE, "cache_stale_total", "Failed calls answered with a late answer")   \
    X(GRC_UPSTREAM_CACHE_SHARED_HIT, "cache_shared_hits_total",                                    \
      "Calls answered from the cache that gateways share")                                         \
    X(GRC_UPSTREAM_CACHE_SHARED_WAIT, "cache_shared_waits_total",                                  \
      "Calls that waited while another gateway asked the upstream")                                \
    X(GRC_UPSTREAM_CACHE_SHARED_AWAY, "cache_shared_away_total",                                   \
      "Calls to which the server of the shared cache gave no answer in time")                      \
    X(GRC_UPSTREAM_CACHE_SHARED_REFUSED, "cache_shared_refused_total",                             \
      "Answers in the shared cache that no gateway with the same secret has put there")            \
    X(GRC_UPSTREAM_CANCELLED, "cancelled_total", "Calls given up because the client left")         \
    X(GRC_UPSTREAM_REFUSED, "refused_total", "Calls not made: breaker open or too many in flight") \
    X(GRC_UPSTREAM_CACHE_MISS, "cache_misses_total", "Calls that the cache could not answer")      \
    X(GRC_UPSTREAM_SPENT, "retries_denied_total", "Retries not made: the retry budget was spent")  \
    X(GRC_UPSTREAM_OPENED, "breaker_opened_total", "How often the breaker opened")

enum grc_upstream_event {
#define GRC_UPSTREAM_EVENT_ENUM(name, metric, help) name,
    GRC_UPSTREAM_EVENT_LIST(GRC_UPSTREAM_EVENT_ENUM)
#undef GRC_UPSTREAM_EVENT_ENUM
        GRC_UPSTREAM_EVENT_COUNT
};

struct grc_route_metrics;
struct grc_upstream_metrics;

/* Find the series of an operation id or of an upstream, or make them. NULL without memory. */
struct grc_route_metrics *grc_metrics_route(const char *id, const char *group);
struct grc_upstream_metrics *grc_metrics_upstream(const char *name);

/* The series of requests that matched no route, with the operation "none". */
struct grc_route_metrics *grc_metrics_unmatched(void);

/* The functions below ignore NULL metrics. */
void grc_metrics_request(struct grc_route_metrics *metrics, int status, int64_t took_us);
void grc_metrics_in_flight(int delta);
/* How long a request waited until a worker was free for it. */
void grc_metrics_worker_wait(bool admin, int64_t took_us);
void grc_metrics_reject(enum grc_reject reason);
void grc_metrics_exchange(struct grc_upstream_metrics *metrics, enum gr_err err, int status,
                          int64_t took_us);
void grc_metrics_upstream_event(struct grc_upstream_metrics *metrics,
                                enum grc_upstream_event event);
/* How long a request waited for a worker before its time began, and the part of its time that its
 * upstream calls took. */
void grc_metrics_request_parts(struct grc_route_metrics *metrics, int64_t waited_us,
                               int64_t upstream_us);
/* Adds to a plugin's own metric, which rows declares. Unknown names are ignored. */
void grc_metrics_plugin_add(const char *plugin, const struct gr_metric *rows, const char *name,
                            const char *label, int64_t delta);

/* Sums of all series since the start of the process. */
struct grc_metrics_totals {
    uint64_t requests;
    uint64_t failed;  /* answered with a 5xx */
    uint64_t refused; /* refused for any reason before they were handled */
    uint64_t took_us; /* duration of all requests together */
    uint64_t upstream_calls;
    uint64_t upstream_failed; /* without an answer, or with a 5xx */
};
void grc_metrics_totals(struct grc_metrics_totals *ret_totals);

/*
 * In the process of an isolated group metrics go to the gateway, which counts them as its own. The
 * functions are called on any thread, with names that are borrowed. Before threads start.
 */
struct grc_metrics_sink {
    void (*plugin)(const char *name, const char *label, int64_t delta);
    void (*exchange)(const char *upstream, enum gr_err err, int status, int64_t took_us);
    void (*event)(const char *upstream, enum grc_upstream_event event);
};
void grc_metrics_divert(const struct grc_metrics_sink *sink);

/* Writes gauges that other parts of the host know. Called while the series are rendered. */
typedef void grc_collect_fn(void *arg, struct grc_buf *out);
/* Writes all series; collect may be NULL. */
void grc_metrics_render(struct grc_buf *out, grc_collect_fn *collect, void *arg);
/* For collectors: writes HELP and TYPE of a metric. */
void grc_metrics_head(struct grc_buf *out, const char *name, const char *type, const char *help);
/* For collectors: writes a label, with its value quoted and escaped, and what follows it. */
void grc_metrics_label(struct grc_buf *out, const char *name, const char *value, const char *after);
/* For collectors: writes one sample. labels is "a=\"b\"" or NULL. */
void grc_metrics_sample(struct grc_buf *out, const char *name, const char *labels, double value);

/* --- reading --- */

/* Of a histogram: the last bucket has no upper bound. */
#define GRC_METRICS_BUCKETS 16u

/* The counters of one operation or upstream at a moment; all of them only grow. */
struct grc_metrics_view {
    const char *name;  /* operation id, or upstream */
    const char *group; /* NULL: an upstream */
    uint64_t total;
    uint64_t failed; /* 5xx; of upstreams also calls without an answer */
    uint64_t sum_us;
    uint64_t waited_us;   /* of operations: for a worker, before the time in sum_us */
    uint64_t upstream_us; /* of operations: their upstreams' part of sum_us */
    uint64_t buckets[GRC_METRICS_BUCKETS];
};
typedef void grc_metrics_view_fn(void *arg, const struct grc_metrics_view *view);
void grc_metrics_each_route(grc_metrics_view_fn *visit, void *arg);
void grc_metrics_each_upstream(grc_metrics_view_fn *visit, void *arg);
/* The q-th quantile (0 to 1) in milliseconds, linear within its bucket; 0 without any count. */
double grc_metrics_quantile_ms(const uint64_t buckets[GRC_METRICS_BUCKETS], double q);
/* The metrics of plugins. label: "" for a metric without one. */
typedef void grc_metrics_plugin_fn(void *arg, const char *plugin, const char *name,
                                   const char *label, int64_t value);
void grc_metrics_each_plugin_metric(grc_metrics_plugin_fn *visit, void *arg);
/* Requests turned away so far, by reason. */
typedef void grc_metrics_reject_fn(void *arg, const char *reason, uint64_t count);
void grc_metrics_each_reject(grc_metrics_reject_fn *visit, void *arg);
