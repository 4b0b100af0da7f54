#include "server/history.h"

#include "base/clock.h"
#include "base/ticker.h"
#include "metrics/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define STACK_BYTES ((size_t)128 * 1024)
#define PERIOD_MS 10000
#define POINTS 60u /* ten minutes */
#define RECENT 6u  /* periods over which a rate is computed */
#define TRACKS_MAX 512u

/* Counters at the end of a period. */
struct sample {
    uint64_t total;
    uint64_t failed;
    uint64_t sum_us;
    uint64_t waited_us;
    uint64_t upstream_us;
    uint64_t buckets[GRC_METRICS_BUCKETS];
};

/* One operation or upstream. The name is borrowed from its series, which live as long as the
 * process. */
struct track {
    struct track *next;
    const char *name;
    const char *group;                 /* NULL: an upstream */
    struct sample samples[POINTS + 1]; /* a ring; see at */
};

static struct {
    pthread_mutex_t lock; /* taken by the page and the thread, never while a request is served */
    struct grc_ticker ticker;
    struct track *tracks;
    size_t track_count;
    struct grc_metrics_totals totals[POINTS + 1]; /* a ring; see at */
    size_t at;                                    /* place of the newest sample in each ring */
    size_t filled;                                /* samples that were taken, up to POINTS + 1 */
    int64_t at_ms;                                /* when, monotonic */
    int64_t began_ms;                             /* likewise */
} history = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct track *find(const struct grc_metrics_view *view)
{
    for (struct track *track = history.tracks; track; track = track->next) {
        if (track->name == view->name)
            return track;
    }
    return NULL;
}

/* Its samples are zeros, as there was no traffic before. */
static struct track *make(const struct grc_metrics_view *view)
{
    struct track *track = history.track_count < TRACKS_MAX ? calloc(1, sizeof(*track)) : NULL;

    if (!track)
        return NULL;
    track->name = view->name;
    track->group = view->group;
    track->next = history.tracks;
    history.tracks = track;
    history.track_count++;
    return track;
}

static struct sample sample_of(const struct grc_metrics_view *view)
{
    struct sample sample = {.total = view->total,
                            .failed = view->failed,
                            .sum_us = view->sum_us,
                            .waited_us = view->waited_us,
                            .upstream_us = view->upstream_us};

    memcpy(sample.buckets, view->buckets, sizeof(sample.buckets));
    return sample;
}

static void take(void *arg, const struct grc_metrics_view *view)
{
    (void)arg;
    struct track *track = view->total > 0 ? find(view) : NULL;
    if (!track && view->total > 0)
        track = make(view);
    if (track)
        track->samples[history.at] = sample_of(view);
}

static void take_all(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&history.lock);
    history.at = (history.at + 1) % (POINTS + 1);
    if (history.filled < POINTS + 1)
        history.filled++;
    history.at_ms = grc_mono_ms();
    grc_metrics_totals(&history.totals[history.at]);
    grc_metrics_each_route(take, NULL);
    grc_metrics_each_upstream(take, NULL);
    pthread_mutex_unlock(&history.lock);
}

bool grc_history_start(void)
{
    pthread_mutex_lock(&history.lock);
    history.began_ms = grc_mono_ms();
    /* The first sample is of zeros: what was counted before this thread ran belongs to the history.
     */
    history.at_ms = history.began_ms;
    history.filled = 1;
    pthread_mutex_unlock(&history.lock);
    grc_ticker_init(&history.ticker, PERIOD_MS, take_all, NULL);
    return grc_ticker_start(&history.ticker, STACK_BYTES);
}

void grc_history_stop(void)
{
    if (!history.ticker.running)
        return;
    grc_ticker_done(&history.ticker);
    while (history.tracks) {
        struct track *track = history.tracks;

        history.tracks = track->next;
        free(track);
    }
    history.track_count = 0;
}

/* --- reading --- */

/* How many periods back from the newest sample there is one, at most those asked for. */
static size_t periods_back(size_t periods)
{
    size_t most = history.filled > 0 ? history.filled - 1 : 0;

    return periods < most ? periods : most;
}

/* The place in the rings of the sample that periods_back() finds. */
static size_t place_back(size_t periods)
{
    return (history.at + POINTS + 1 - periods_back(periods)) % (POINTS + 1);
}

static const struct sample *back(const struct track *track, size_t periods)
{
    return &track->samples[place_back(periods)];
}

static json_t *points(const struct track *track, bool failed)
{
    json_t *list = json_array();

    for (size_t i = periods_back(POINTS); i > 0; i--) {
        const struct sample *before = back(track, i);
        const struct sample *after = back(track, i - 1);
        uint64_t count = failed ? after->failed - before->failed : after->total - before->total;

        json_array_append_new(list, json_integer((json_int_t)count));
    }
    return list;
}

/* The time from a sample to now, in ms. */
static int64_t time_since(size_t periods)
{
    return grc_mono_ms() - history.at_ms + (int64_t)periods_back(periods) * PERIOD_MS;
}

static double seconds_since(size_t periods)
{
    double s = (double)time_since(periods) / 1000.0;

    return s > 1 ? s : 1;
}

static json_t *track_json(const struct track *track, const struct grc_metrics_view *now)
{
    static const struct sample nothing = {.total = 0};
    const struct sample *oldest = track ? back(track, POINTS) : &nothing;
    const struct sample *recent = track ? back(track, RECENT) : &nothing;
    uint64_t buckets[GRC_METRICS_BUCKETS];
    double count = (double)(now->total - oldest->total);
    double s = seconds_since(RECENT);

    for (size_t i = 0; i < GRC_METRICS_BUCKETS; i++)
        buckets[i] = now->buckets[i] - oldest->buckets[i];
    return json_pack(
        "{s:s, s:s?, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:o}", "name",
        now->name, "group", now->group, "total", (json_int_t)now->total, "failed",
        (json_int_t)now->failed, "per_s", (double)(now->total - recent->total) / s, "failed_per_s",
        (double)(now->failed - recent->failed) / s, "p50_ms", grc_metrics_quantile_ms(buckets, 0.5),
        "p95_ms", grc_metrics_quantile_ms(buckets, 0.95), "p99_ms",
        grc_metrics_quantile_ms(buckets, 0.99), "mean_ms",
        count > 0 ? (double)(now->sum_us - oldest->sum_us) / 1000.0 / count : 0, "waited_ms",
        count > 0 ? (double)(now->waited_us - oldest->waited_us) / 1000.0 / count : 0,
        "upstream_ms",
        count > 0 ? (double)(now->upstream_us - oldest->upstream_us) / 1000.0 / count : 0, "points",
        track ? points(track, false) : json_array(), "failed_points",
        track ? points(track, true) : json_array());
}

static void add(void *arg, const struct grc_metrics_view *view)
{
    const struct track *track = find(view);

    if (view->total > (track ? back(track, POINTS)->total : 0) && json_array_size(arg) < TRACKS_MAX)
        json_array_append_new(arg, track_json(track, view));
}

static json_t *list_of(void (*each)(grc_metrics_view_fn *visit, void *arg))
{
    json_t *list = json_array();

    pthread_mutex_lock(&history.lock);
    each(add, list);
    pthread_mutex_unlock(&history.lock);
    return list;
}

json_t *grc_history_routes_json(void)
{
    return list_of(grc_metrics_each_route);
}

json_t *grc_history_upstreams_json(void)
{
    return list_of(grc_metrics_each_upstream);
}

static double per_second(uint64_t now, uint64_t then, int64_t over_ms)
{
    return over_ms > 0 ? (double)(now - then) * 1000 / (double)over_ms : 0;
}

static json_t *rates_since(const struct grc_metrics_totals *then, int64_t over_ms)
{
    struct grc_metrics_totals now;

    grc_metrics_totals(&now);
    uint64_t requests = now.requests - then->requests;
    double mean_ms = requests ? (double)(now.took_us - then->took_us) / 1000 / (double)requests : 0;
    return json_pack(
        "{s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "over_ms", (json_int_t)over_ms, "requests_per_s",
        per_second(now.requests, then->requests, over_ms), "failed_per_s",
        per_second(now.failed, then->failed, over_ms), "refused_per_s",
        per_second(now.refused, then->refused, over_ms), "mean_ms", mean_ms, "upstream_per_s",
        per_second(now.upstream_calls, then->upstream_calls, over_ms), "upstream_failed_per_s",
        per_second(now.upstream_failed, then->upstream_failed, over_ms));
}

json_t *grc_history_rates_json(void)
{
    pthread_mutex_lock(&history.lock);
    json_t *rates = history.filled > 0
                        ? rates_since(&history.totals[place_back(RECENT)], time_since(RECENT))
                        : json_object();
    pthread_mutex_unlock(&history.lock);
    return rates;
}

int64_t grc_history_uptime_ms(void)
{
    pthread_mutex_lock(&history.lock);
    int64_t ms = history.began_ms ? grc_mono_ms() - history.began_ms : 0;
    pthread_mutex_unlock(&history.lock);
    return ms;
}
