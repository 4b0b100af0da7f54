#include "metrics/internal.h"

#include <pthread.h>
#include <stdlib.h>

const struct grc_bucket grc_metrics_buckets[] = {
    {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},
    {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"}, {30000000, "30"},
};
const char *const grc_reject_labels[] = {
#define LABEL(name, label) label,
    GRC_REJECT_LIST(LABEL)
#undef LABEL
};
struct grc_counters grc_counters;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static const struct grc_metrics_sink *diverted; /* NULL: metrics are counted here */

static void add(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

static void observe(struct grc_histogram *histogram, int64_t took_us)
{
    size_t at = 0;

    while (at < GRC_METRICS_BOUNDS && took_us > grc_metrics_buckets[at].us)
        at++;
    add(&histogram->counts[at], 1);
    add(&histogram->sum_us, took_us > 0 ? (uint64_t)took_us : 0);
}

void grc_metrics_worker_wait(bool admin, int64_t took_us)
{
    observe(&grc_counters.worker_waits[admin], took_us);
}

static struct grc_route_metrics *find_route(const char *id)
{
    struct grc_route_metrics *at = atomic_load(&grc_counters.routes);

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
            metrics->next = atomic_load(&grc_counters.routes);
            atomic_store(&grc_counters.routes, metrics);
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
    struct grc_upstream_metrics *at = atomic_load(&grc_counters.upstreams);

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
            metrics->next = atomic_load(&grc_counters.upstreams);
            atomic_store(&grc_counters.upstreams, metrics);
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
    atomic_fetch_add_explicit(&grc_counters.in_flight, delta, memory_order_relaxed);
}

void grc_metrics_reject(enum grc_reject reason)
{
    if (reason < GRC_REJECT_COUNT)
        add(&grc_counters.rejected[reason], 1);
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

static bool same(const struct grc_plugin_series *at, const char *plugin, const char *name,
                 const char *label)
{
    return strcmp(at->plugin, plugin) == 0 && strcmp(at->name, name) == 0 &&
           strcmp(at->label, label) == 0;
}

static struct grc_plugin_series *find_series(const char *plugin, const char *name,
                                             const char *label)
{
    struct grc_plugin_series *at = atomic_load(&grc_counters.series);

    while (at && !same(at, plugin, name, label))
        at = at->next;
    return at;
}

static struct grc_plugin_series *make_series(const char *plugin, const struct gr_metric *row,
                                             const char *label)
{
    pthread_mutex_lock(&making);
    struct grc_plugin_series *made = find_series(plugin, row->name, label);
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
            made->next = atomic_load(&grc_counters.series);
            atomic_store(&grc_counters.series, made);
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
    struct grc_plugin_series *found = find_series(plugin, name, value);

    for (; !found && rows && rows->name; rows++) {
        if (strcmp(rows->name, name) == 0)
            found = make_series(plugin, rows, value);
    }
    if (found)
        atomic_fetch_add_explicit(&found->value, delta, memory_order_relaxed);
}
