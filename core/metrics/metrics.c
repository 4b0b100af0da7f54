#include "metrics/metrics.h"

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Upper bounds of the buckets in microseconds, and as Prometheus prints them. */
static const struct {
    int64_t us;
    const char *label;
} buckets[] = {
    {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},
    {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"}, {30000000, "30"},
};
#define BUCKETS (sizeof(buckets) / sizeof(buckets[0]))

struct histogram {
    _Atomic uint64_t counts[BUCKETS + 1]; /* the last one is for longer times than any bound */
    _Atomic uint64_t sum_us;
};

#define STATUS_MIN 100
#define STATUS_COUNT 500

/* 4 KiB of counters for each operation; pages that are not touched cost no memory. */
struct grc_route_metrics {
    struct grc_route_metrics *next;
    char *id;
    char *group;
    struct histogram took;
    _Atomic uint64_t waited_us;
    _Atomic uint64_t upstream_us;
    _Atomic uint64_t by_status[STATUS_COUNT];
};

#define ERRORS_MAX 64u

struct grc_upstream_metrics {
    struct grc_upstream_metrics *next;
    char *name;
    struct histogram took;
    _Atomic uint64_t answers[6];         /* by first digit of the status */
    _Atomic uint64_t errors[ERRORS_MAX]; /* by negated enum gr_err */
    _Atomic uint64_t events[GRC_UPSTREAM_EVENT_COUNT];
};

/* A series of a plugin's own metric. */
struct plugin_series {
    struct plugin_series *next;
    char *help;
    char *label_name;
    enum gr_metric_kind kind;
    char *plugin;
    char *name;
    char *label;
    _Atomic int64_t value;
};

/* Lists only grow, at the head; readers walk them without a lock. */
static _Atomic(struct grc_route_metrics *) routes;
static _Atomic(struct grc_upstream_metrics *) upstreams;
static _Atomic(struct plugin_series *) series;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t rejected[GRC_REJECT_COUNT];
static _Atomic int in_flight;
static struct histogram worker_waits[2];        /* of the main listeners, and the admin's */
static const struct grc_metrics_sink *diverted; /* NULL: metrics are counted here */

static void add(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

static uint64_t get(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void observe(struct histogram *histogram, int64_t took_us)
{
    size_t at = 0;

    while (at < BUCKETS && took_us > buckets[at].us)
        at++;
    add(&histogram->counts[at], 1);
    add(&histogram->sum_us, took_us > 0 ? (uint64_t)took_us : 0);
}

void grc_metrics_worker_wait(bool admin, int64_t took_us)
{
    observe(&worker_waits[admin], took_us);
}

static struct grc_route_metrics *find_route(const char *id)
{
    struct grc_route_metrics *at = atomic_load(&routes);

    while (at && strcmp(at->id, id) != 0)
        at = at->next;
    return at;
}

struct grc_route_metrics *grc_metrics_route(const char *id, const char *group)
{
    pthread_mutex_lock(&making);
    struct grc_route_metrics *metrics = find_route(id);
    if (!metrics) {
        metrics = calloc(1, sizeof(*metrics));
        if (metrics) {
            metrics->id = strdup(id);
            metrics->group = strdup(group);
        }
        if (metrics && (!metrics->id || !metrics->group)) {
            free(metrics->id);
            free(metrics->group);
            free(metrics);
            metrics = NULL;
        }
        if (metrics) {
            metrics->next = atomic_load(&routes);
            atomic_store(&routes, metrics);
        }
    }
    pthread_mutex_unlock(&making);
    return metrics;
}

static struct grc_route_metrics *unmatched;

static void make_unmatched(void)
{
    unmatched = grc_metrics_route("none", "none");
}

struct grc_route_metrics *grc_metrics_unmatched(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_unmatched);
    return unmatched;
}

static struct grc_upstream_metrics *find_upstream(const char *name)
{
    struct grc_upstream_metrics *at = atomic_load(&upstreams);

    while (at && strcmp(at->name, name) != 0)
        at = at->next;
    return at;
}

struct grc_upstream_metrics *grc_metrics_upstream(const char *name)
{
    pthread_mutex_lock(&making);
    struct grc_upstream_metrics *metrics = find_upstream(name);
    if (!metrics) {
        metrics = calloc(1, sizeof(*metrics));
        if (metrics)
            metrics->name = strdup(name);
        if (metrics && !metrics->name) {
            free(metrics);
            metrics = NULL;
        }
        if (metrics) {
            metrics->next = atomic_load(&upstreams);
            atomic_store(&upstreams, metrics);
        }
    }
    pthread_mutex_unlock(&making);
    return metrics;
}

void grc_metrics_request(struct grc_route_metrics *metrics, int status, int64_t took_us)
{
    if (!metrics)
        return;
    observe(&metrics->took, took_us);
    if (status >= STATUS_MIN && status < STATUS_MIN + STATUS_COUNT)
        add(&metrics->by_status[status - STATUS_MIN], 1);
}

void grc_metrics_request_parts(struct grc_route_metrics *metrics, int64_t waited_us,
                               int64_t upstream_us)
{
    if (metrics && waited_us > 0)
        add(&metrics->waited_us, (uint64_t)waited_us);
    if (metrics && upstream_us > 0)
        add(&metrics->upstream_us, (uint64_t)upstream_us);
}

void grc_metrics_in_flight(int delta)
{
    atomic_fetch_add_explicit(&in_flight, delta, memory_order_relaxed);
}

void grc_metrics_reject(enum grc_reject reason)
{
    if (reason < GRC_REJECT_COUNT)
        add(&rejected[reason], 1);
}

void grc_metrics_exchange(struct grc_upstream_metrics *metrics, enum gr_err err, int status,
                          int64_t took_us)
{
    if (!metrics)
        return;
    if (diverted) {
        diverted->exchange(metrics->name, err, status, took_us);
        return;
    }
    observe(&metrics->took, took_us);
    size_t number = (size_t) - (long)err;
    if (err == GR_OK)
        add(&metrics->answers[status / 100 <= 5 && status >= 100 ? status / 100 : 0], 1);
    else if (number < ERRORS_MAX)
        add(&metrics->errors[number], 1);
}

void grc_metrics_upstream_event(struct grc_upstream_metrics *metrics, enum grc_upstream_event event)
{
    if (!metrics || event >= GRC_UPSTREAM_EVENT_COUNT)
        return;
    if (diverted)
        diverted->event(metrics->name, event);
    else
        add(&metrics->events[event], 1);
}

void grc_metrics_divert(const struct grc_metrics_sink *sink)
{
    diverted = sink;
}

static bool same(const struct plugin_series *at, const char *plugin, const char *name,
                 const char *label)
{
    return strcmp(at->plugin, plugin) == 0 && strcmp(at->name, name) == 0 &&
           strcmp(at->label, label) == 0;
}

static struct plugin_series *find_series(const char *plugin, const char *name, const char *label)
{
    struct plugin_series *at = atomic_load(&series);

    while (at && !same(at, plugin, name, label))
        at = at->next;
    return at;
}

static struct plugin_series *make_series(const char *plugin, const struct gr_metric *row,
                                         const char *label)
{
    pthread_mutex_lock(&making);
    struct plugin_series *made = find_series(plugin, row->name, label);
    if (!made)
        made = calloc(1, sizeof(*made));
    if (made && !made->name) {
        made->plugin = strdup(plugin);
        made->name = strdup(row->name);
        made->label = strdup(label);
        made->help = strdup(row->help ? row->help : ""); /* the row is unloaded with its plugin */
        made->label_name = row->label ? strdup(row->label) : NULL;
        made->kind = row->kind;
        if (made->plugin && made->name && made->label && made->help &&
            (made->label_name || !row->label)) {
            made->next = atomic_load(&series);
            atomic_store(&series, made);
        } else {
            free(made->plugin);
            free(made->name);
            free(made->label);
            free(made->help);
            free(made->label_name);
            free(made);
            made = NULL;
        }
    }
    pthread_mutex_unlock(&making);
    return made;
}

void grc_metrics_plugin_add(const char *plugin, const struct gr_metric *rows, const char *name,
                            const char *label, int64_t delta)
{
    const char *value = label ? label : "";

    if (diverted) {
        diverted->plugin(name, value, delta);
        return;
    }
    struct plugin_series *found = find_series(plugin, name, value);

    for (; !found && rows && rows->name; rows++) {
        if (strcmp(rows->name, name) == 0)
            found = make_series(plugin, rows, value);
    }
    if (found)
        atomic_fetch_add_explicit(&found->value, delta, memory_order_relaxed);
}

void grc_metrics_label(struct grc_buf *out, const char *value)
{
    (void)grc_buf_char(out, '"');
    for (; *value; value++) {
        if (*value == '\n') {
            (void)grc_buf_text(out, "\\n");
            continue;
        }
        if (*value == '"' || *value == '\\')
            (void)grc_buf_char(out, '\\');
        (void)grc_buf_char(out, *value);
    }
    (void)grc_buf_char(out, '"');
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

static uint64_t histogram_count(struct histogram *histogram)
{
    uint64_t total = 0;

    for (size_t i = 0; i <= BUCKETS; i++)
        total += get(&histogram->counts[i]);
    return total;
}

void grc_metrics_totals(struct grc_metrics_totals *ret_totals)
{
    struct grc_metrics_totals totals = {.requests = 0};

    for (struct grc_route_metrics *at = atomic_load(&routes); at; at = at->next) {
        totals.requests += histogram_count(&at->took);
        totals.took_us += get(&at->took.sum_us);
        for (int i = 500 - STATUS_MIN; i < STATUS_COUNT; i++)
            totals.failed += get(&at->by_status[i]);
    }
    for (size_t i = 0; i < GRC_REJECT_COUNT; i++)
        totals.refused += get(&rejected[i]);
    for (struct grc_upstream_metrics *at = atomic_load(&upstreams); at; at = at->next) {
        totals.upstream_calls += histogram_count(&at->took);
        totals.upstream_failed += get(&at->answers[5]);
        for (size_t i = 0; i < ERRORS_MAX; i++)
            totals.upstream_failed += get(&at->errors[i]);
    }
    *ret_totals = totals;
}

/* An empty histogram is not rendered. */
static bool is_empty(struct histogram *histogram)
{
    for (size_t i = 0; i <= BUCKETS; i++) {
        if (get(&histogram->counts[i]))
            return false;
    }
    return true;
}

static void render_histogram(struct grc_buf *out, const char *name, const char *label,
                             const char *value, struct histogram *histogram)
{
    uint64_t total = 0;

    if (is_empty(histogram))
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        total += get(&histogram->counts[i]);
        (void)grc_buf_format(out, "greenroom_%s_bucket{%s=\"%s\",le=\"%s\"} %llu\n", name, label,
                             value, buckets[i].label, (unsigned long long)total);
    }
    total += get(&histogram->counts[BUCKETS]);
    (void)grc_buf_format(out,
                         "greenroom_%s_bucket{%s=\"%s\",le=\"+Inf\"} %llu\n"
                         "greenroom_%s_sum{%s=\"%s\"} %.6f\n"
                         "greenroom_%s_count{%s=\"%s\"} %llu\n",
                         name, label, value, (unsigned long long)total, name, label, value,
                         (double)get(&histogram->sum_us) / 1e6, name, label, value,
                         (unsigned long long)total);
}

static void render_routes(struct grc_buf *out)
{
    grc_metrics_head(out, "requests_total", "counter", "Requests answered");
    for (struct grc_route_metrics *at = atomic_load(&routes); at; at = at->next) {
        for (int i = 0; i < STATUS_COUNT; i++) {
            uint64_t count = get(&at->by_status[i]);

            if (count)
                (void)grc_buf_format(
                    out,
                    "greenroom_requests_total{operation=\"%s\",group=\"%s\",status=\"%d\"} %llu\n",
                    at->id, at->group, i + STATUS_MIN, (unsigned long long)count);
        }
    }
    grc_metrics_head(out, "request_duration_seconds", "histogram",
                     "From the request's first byte to its answer");
    for (struct grc_route_metrics *at = atomic_load(&routes); at; at = at->next)
        render_histogram(out, "request_duration_seconds", "operation", at->id, &at->took);
}

static void render_worker_waits(struct grc_buf *out)
{
    static const char *const listeners[] = {"main", "admin"};

    grc_metrics_head(out, "worker_wait_seconds", "histogram",
                     "From a request's whole head until a worker was free for it");
    for (size_t i = 0; i < 2; i++)
        render_histogram(out, "worker_wait_seconds", "listener", listeners[i], &worker_waits[i]);
}

static void render_wait_share(struct grc_buf *out)
{
    grc_metrics_head(out, "request_wait_seconds_total", "counter",
                     "Time that requests waited for a worker before they began");
    for (struct grc_route_metrics *at = atomic_load(&routes); at; at = at->next) {
        uint64_t us = get(&at->waited_us);

        if (us)
            (void)grc_buf_format(out,
                                 "greenroom_request_wait_seconds_total{operation=\"%s\"} %.6f\n",
                                 at->id, (double)us / 1e6);
    }
}

static void render_upstream_share(struct grc_buf *out)
{
    grc_metrics_head(out, "request_upstream_seconds_total", "counter",
                     "Time of requests that their calls to upstreams took");
    for (struct grc_route_metrics *at = atomic_load(&routes); at; at = at->next) {
        uint64_t us = get(&at->upstream_us);

        if (us)
            (void)grc_buf_format(
                out, "greenroom_request_upstream_seconds_total{operation=\"%s\"} %.6f\n", at->id,
                (double)us / 1e6);
    }
}

static void render_upstream_calls(struct grc_buf *out)
{
    static const char *const classes[] = {"other", "1xx", "2xx", "3xx", "4xx", "5xx"};

    grc_metrics_head(out, "upstream_calls_total", "counter", "Calls to upstreams, by outcome");
    for (struct grc_upstream_metrics *at = atomic_load(&upstreams); at; at = at->next) {
        for (size_t i = 0; i < 6; i++) {
            if (get(&at->answers[i]))
                (void)grc_buf_format(
                    out, "greenroom_upstream_calls_total{upstream=\"%s\",outcome=\"%s\"} %llu\n",
                    at->name, classes[i], (unsigned long long)get(&at->answers[i]));
        }
        for (size_t i = 0; i < ERRORS_MAX; i++) {
            if (get(&at->errors[i]))
                (void)grc_buf_format(
                    out, "greenroom_upstream_calls_total{upstream=\"%s\",outcome=\"%s\"} %llu\n",
                    at->name, grc_err_slug((enum gr_err) - (int)i),
                    (unsigned long long)get(&at->errors[i]));
        }
    }
    grc_metrics_head(out, "upstream_duration_seconds", "histogram", "Calls to upstreams");
    for (struct grc_upstream_metrics *at = atomic_load(&upstreams); at; at = at->next)
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
        for (struct grc_upstream_metrics *at = atomic_load(&upstreams); at; at = at->next)
            (void)grc_buf_format(out, "greenroom_%s{upstream=\"%s\"} %llu\n", rows[i].name,
                                 at->name, (unsigned long long)get(&at->events[i]));
    }
}

static const char *const reject_labels[] = {
#define LABEL(name, label) label,
    GRC_REJECT_LIST(LABEL)
#undef LABEL
};

static void render_rejects(struct grc_buf *out)
{
    grc_metrics_head(out, "rejected_total", "counter", "Requests rejected, by reason");
    for (size_t i = 0; i < GRC_REJECT_COUNT; i++)
        (void)grc_buf_format(out, "greenroom_rejected_total{reason=\"%s\"} %llu\n",
                             reject_labels[i], (unsigned long long)get(&rejected[i]));
    grc_metrics_head(out, "requests_in_flight", "gauge", "Requests being served");
    grc_metrics_sample(out, "requests_in_flight", NULL,
                       atomic_load_explicit(&in_flight, memory_order_relaxed));
}

static bool first_of_name(const struct plugin_series *at)
{
    for (struct plugin_series *other = atomic_load(&series); other != at; other = other->next) {
        if (strcmp(other->plugin, at->plugin) == 0 && strcmp(other->name, at->name) == 0)
            return false;
    }
    return true;
}

static void render_one_series(struct grc_buf *out, struct plugin_series *at)
{
    long long value = (long long)atomic_load_explicit(&at->value, memory_order_relaxed);

    (void)grc_buf_format(out, "greenroom_%s_%s", at->plugin, at->name);
    if (at->label_name) {
        (void)grc_buf_format(out, "{%s=", at->label_name);
        grc_metrics_label(out, at->label);
        (void)grc_buf_char(out, '}');
    }
    (void)grc_buf_format(out, " %lld\n", value);
}

static void render_plugins(struct grc_buf *out)
{
    for (struct plugin_series *at = atomic_load(&series); at; at = at->next) {
        if (!first_of_name(at))
            continue;
        (void)grc_buf_format(out, "# HELP greenroom_%s_%s %s\n# TYPE greenroom_%s_%s %s\n",
                             at->plugin, at->name, at->help ? at->help : "", at->plugin, at->name,
                             at->kind == GR_GAUGE ? "gauge" : "counter");
        for (struct plugin_series *of = at; of; of = of->next) {
            if (strcmp(of->plugin, at->plugin) == 0 && strcmp(of->name, at->name) == 0)
                render_one_series(out, of);
        }
    }
}

void grc_metrics_render(struct grc_buf *out, grc_collect_fn *collect, void *arg)
{
    render_routes(out);
    render_worker_waits(out);
    render_wait_share(out);
    render_upstream_share(out);
    render_upstream_calls(out);
    render_upstream_events(out);
    render_rejects(out);
    render_plugins(out);
    if (collect)
        collect(arg, out);
}

/* --- reading --- */

_Static_assert(BUCKETS + 1 == GRC_METRICS_BUCKETS, "views have a place for each bucket");

static void view_histogram(struct grc_metrics_view *view, struct histogram *histogram)
{
    view->sum_us = get(&histogram->sum_us);
    for (size_t i = 0; i < GRC_METRICS_BUCKETS; i++) {
        view->buckets[i] = get(&histogram->counts[i]);
        view->total += view->buckets[i];
    }
}

void grc_metrics_each_route(grc_metrics_view_fn *visit, void *arg)
{
    for (struct grc_route_metrics *at = atomic_load(&routes); at; at = at->next) {
        struct grc_metrics_view view = {.name = at->id, .group = at->group};

        view_histogram(&view, &at->took);
        view.waited_us = get(&at->waited_us);
        view.upstream_us = get(&at->upstream_us);
        for (int i = 500 - STATUS_MIN; view.total > 0 && i < STATUS_COUNT; i++)
            view.failed += get(&at->by_status[i]);
        visit(arg, &view);
    }
}

void grc_metrics_each_upstream(grc_metrics_view_fn *visit, void *arg)
{
    for (struct grc_upstream_metrics *at = atomic_load(&upstreams); at; at = at->next) {
        struct grc_metrics_view view = {.name = at->name, .failed = get(&at->answers[5])};

        view_histogram(&view, &at->took);
        for (size_t i = 0; i < ERRORS_MAX; i++)
            view.failed += get(&at->errors[i]);
        visit(arg, &view);
    }
}

double grc_metrics_quantile_ms(const uint64_t counts[GRC_METRICS_BUCKETS], double q)
{
    uint64_t total = 0;
    double below = 0;

    for (size_t i = 0; i < GRC_METRICS_BUCKETS; i++)
        total += counts[i];
    for (size_t i = 0; total > 0 && i < BUCKETS; i++) {
        double from = i ? (double)buckets[i - 1].us : 0;

        if (counts[i] && below + (double)counts[i] >= q * (double)total)
            return (from + ((double)buckets[i].us - from) * (q * (double)total - below) /
                               (double)counts[i]) /
                   1000.0;
        below += (double)counts[i];
    }
    return total ? (double)buckets[BUCKETS - 1].us / 1000.0 : 0;
}

void grc_metrics_each_plugin_metric(grc_metrics_plugin_fn *visit, void *arg)
{
    for (struct plugin_series *at = atomic_load(&series); at; at = at->next)
        visit(arg, at->plugin, at->name, at->label,
              atomic_load_explicit(&at->value, memory_order_relaxed));
}

void grc_metrics_each_reject(grc_metrics_reject_fn *visit, void *arg)
{
    for (size_t i = 0; i < GRC_REJECT_COUNT; i++)
        visit(arg, reject_labels[i], get(&rejected[i]));
}
