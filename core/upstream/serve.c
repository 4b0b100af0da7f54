/* Decides whether a call is made: whether there is room for it, whether the cache has its answer,
 * and whether an identical call is in flight. */
#include "upstream/internal.h"

#include "base/clock.h"
#include "loop/fiber.h"

/* --- room: one slow upstream must not take all workers --- */

static bool take_room(struct grc_upstream *upstream)
{
    int64_t before = atomic_fetch_add_explicit(&upstream->waiting, 1, memory_order_relaxed);

    return upstream->requests_max <= 0 || before < upstream->requests_max;
}

static void leave_room(struct grc_upstream *upstream)
{
    atomic_fetch_sub_explicit(&upstream->waiting, 1, memory_order_relaxed);
}

/* --- writes --- */

/* Called after a write: a call that begins from here on must not get the answer of one that began
 * before. */
static void note_write(struct grc_upstreams *all, struct grc_upstream *upstream,
                       const struct grc_exchange *exchange)
{
    if (exchange->method == GR_METHOD_GET)
        return;
    atomic_fetch_add(&upstream->writes, 1);
    if (all->cache)
        grc_cache_wrote(all->cache, upstream, exchange->target);
}

/* --- one GET --- */

/* A GET, and its place in the cache. */
struct reading {
    struct grc_upstreams *all;
    struct grc_upstream *upstream;
    struct grc_exchange *exchange;
    bool cached; /* the answer may come from the cache and be kept there */
    struct grc_cache_key key;
    enum grc_cache_state state; /* what the cache had */
    uint32_t mark;
};

static void give_kept(struct reading *reading, struct grc_answer *stolen,
                      const struct grc_cache_found *found)
{
    struct grc_exchange *exchange = reading->exchange;

    grc_answer_give(stolen, exchange, false);
    exchange->source = GRC_FROM_CACHE;
    exchange->cache_state = found->state;
    exchange->age_s = found->age_s;
    exchange->fresh_s = found->fresh_s;
}

static bool find_kept(struct reading *reading)
{
    struct grc_exchange *exchange = reading->exchange;
    struct grc_cache *cache = reading->all->cache;
    struct grc_cache_found found;

    reading->cached = cache && grc_cache_fits(exchange);
    if (!reading->cached)
        return false;
    reading->key = grc_cache_key(exchange, reading->upstream, reading->all->seed);
    struct grc_answer *answer =
        grc_cache_get(cache, &reading->key, &exchange->cache, grc_mono_ms(), &found);
    grc_metrics_upstream_event(reading->upstream->metrics,
                               answer ? GRC_UPSTREAM_CACHE_HIT : GRC_UPSTREAM_CACHE_MISS);
    if (answer) {
        give_kept(reading, answer, &found);
        return true;
    }
    reading->state = found.state;
    reading->mark = grc_cache_mark(cache, &reading->key);
    return false;
}

/* The upstream fails in the sense of RFC 5861, section 4. A client that left, or a request that the
 * gateway itself refuses to make, is no failure of the upstream. */
static bool has_failed(const struct grc_exchange *exchange)
{
    switch (exchange->err) {
    case GR_OK:
        return exchange->status == 500 || (exchange->status >= 502 && exchange->status <= 504);
    case GR_ERR_UPSTREAM_CONNECT:
    case GR_ERR_UPSTREAM_TIMEOUT:
    case GR_ERR_UPSTREAM_BROKEN:
    case GR_ERR_UPSTREAM_BUSY:
        return true;
    default:
        return false;
    }
}

static void find_stale(struct reading *reading)
{
    struct grc_exchange *exchange = reading->exchange;
    struct grc_cache_found found;

    if (!reading->cached || exchange->cache.stale_if_error_ms == 0 || !has_failed(exchange))
        return;
    struct grc_answer *answer = grc_cache_get_stale(reading->all->cache, &reading->key,
                                                    &exchange->cache, grc_mono_ms(), &found);
    if (!answer)
        return;
    grc_metrics_upstream_event(reading->upstream->metrics, GRC_UPSTREAM_CACHE_STALE);
    /* Nothing of the failed answer stays. */
    exchange->retry_after = (gr_str){NULL, 0};
    exchange->answer_headers = NULL;
    exchange->answer_header_count = 0;
    give_kept(reading, answer, &found);
}

/* Copies the answer when the cache or waiting calls need it, and puts it into the cache. Returns
 * the copy for waiting calls, or NULL when there is none for them. */
static struct grc_answer *copy_wanted(struct reading *reading, bool waited_for)
{
    struct grc_exchange *exchange = reading->exchange;
    int64_t ttl_ms = reading->cached ? grc_cache_ttl_ms(exchange) : 0;
    bool worth = waited_for && grc_singleflight_worth(exchange);
    struct grc_answer *answer = ttl_ms > 0 || worth ? grc_answer_new(exchange) : NULL;

    exchange->cache_stored =
        answer && ttl_ms > 0 &&
        grc_cache_put(reading->all->cache, &reading->key, reading->mark, answer, grc_mono_ms(),
                      ttl_ms, exchange->freshness.age_s, exchange->freshness.no_stale);
    if (!worth) {
        grc_answer_unref(answer);
        return NULL;
    }
    return answer;
}

/* When the client of a leader has left, its call goes on while other calls wait for the answer. */
struct watch {
    struct grc_singleflight *share;
    bool (*gone)(void *arg);
    void *arg;
};

static bool all_gone(void *arg)
{
    const struct watch *watch = arg;

    return grc_singleflight_waiting(watch->share) == 0 && watch->gone(watch->arg);
}

static void lead(struct reading *reading, struct grc_singleflight *share)
{
    struct grc_exchange *exchange = reading->exchange;
    struct watch watch = {share, exchange->gone, exchange->gone_arg};

    if (exchange->gone) {
        exchange->gone = all_gone;
        exchange->gone_arg = &watch;
    }
    /* A cancellation alone does not end the call; all_gone() decides. */
    bool shielded = grc_fiber_shield(true);
    grc_run_single(reading->upstream, exchange);
    grc_fiber_shield(shielded);
    exchange->gone = watch.gone;
    exchange->gone_arg = watch.arg;
    bool waited_for = grc_singleflight_close(reading->all->shares, share);
    struct grc_answer *answer = copy_wanted(reading, waited_for);
    grc_singleflight_publish(share, answer);
    grc_answer_unref(answer);
}

/* Waits for the leader's answer. Returns false when the caller has to make the call itself. */
static bool follow(struct reading *reading, struct grc_singleflight *share)
{
    struct grc_exchange *exchange = reading->exchange;

    switch (grc_singleflight_wait(share, exchange, exchange->deadline_ms)) {
    case GRC_SINGLEFLIGHT_ANSWERED:
        exchange->source = GRC_FROM_OTHER_CALL;
        grc_metrics_upstream_event(reading->upstream->metrics, GRC_UPSTREAM_SHARED);
        return true;
    case GRC_SINGLEFLIGHT_LATE:
        exchange->err = GR_ERR_UPSTREAM_TIMEOUT;
        return true;
    case GRC_SINGLEFLIGHT_GONE:
        exchange->err = GR_ERR_CANCELLED;
        grc_metrics_upstream_event(reading->upstream->metrics, GRC_UPSTREAM_CANCELLED);
        return true;
    case GRC_SINGLEFLIGHT_AGAIN:
    default:
        return false;
    }
}

static void read_shared(struct reading *reading)
{
    struct grc_upstream *upstream = reading->upstream;
    struct grc_singleflight_key key = {
        .exchange = reading->exchange,
        .upstream = upstream,
        .hash = grc_singleflight_hash(reading->exchange, upstream, reading->all->seed),
        .epoch = atomic_load(&upstream->writes),
    };
    bool leads = false;

    for (;;) {
        struct grc_singleflight *share = grc_singleflight_enter(reading->all->shares, &key, &leads);
        if (!share)
            break;
        if (leads) {
            lead(reading, share);
            return;
        }
        if (follow(reading, share))
            return;
    }
    grc_run_single(upstream, reading->exchange);
}

static void make_reading(struct reading *reading)
{
    struct grc_exchange *exchange = reading->exchange;
    int64_t own_deadline_ms = exchange->deadline_ms;

    if (!reading->upstream->settings->single_flight || !grc_singleflight_fits(exchange)) {
        grc_run_single(reading->upstream, exchange);
        if (reading->cached)
            grc_answer_unref(copy_wanted(reading, false));
        return;
    }
    /* One deadline for waiting for another call and then making one. */
    exchange->deadline_ms = grc_exchange_deadline(exchange, reading->upstream, grc_mono_ms());
    read_shared(reading);
    exchange->deadline_ms = own_deadline_ms;
}

/* --- all --- */

static void serve_one(struct grc_upstreams *all, struct grc_exchange *exchange)
{
    struct reading reading = {
        .all = all,
        .upstream = grc_upstream_find(all, exchange->upstream),
        .exchange = exchange,
    };
    int64_t began_us = grc_mono_us();

    grc_exchange_reset(exchange);
    if (!reading.upstream)
        return;
    if (!find_kept(&reading)) {
        if (!take_room(reading.upstream))
            grc_exchange_refuse(exchange, reading.upstream, 0);
        else
            make_reading(&reading);
        leave_room(reading.upstream);
        note_write(all, reading.upstream, exchange);
        exchange->cache_state = reading.state;
        find_stale(&reading);
    }
    exchange->took_us = grc_mono_us() - began_us;
}

/* Returns the upstream of an exchange, or NULL when an earlier one of the group has the same: a
 * group counts once as waiting for each upstream. */
static struct grc_upstream *first_of(struct grc_upstreams *all,
                                     const struct grc_exchange *exchanges, size_t index)
{
    struct grc_upstream *upstream = grc_upstream_find(all, exchanges[index].upstream);

    for (size_t i = 0; upstream && i < index; i++) {
        if (strcmp(exchanges[i].upstream, exchanges[index].upstream) == 0)
            return NULL;
    }
    return upstream;
}

static void serve_group(struct grc_upstreams *all, struct grc_exchange *exchanges, size_t count)
{
    struct grc_upstream *full = NULL;

    for (size_t i = 0; i < count; i++) {
        struct grc_upstream *upstream = first_of(all, exchanges, i);
        if (upstream && !take_room(upstream))
            full = upstream;
    }
    if (full) {
        for (size_t i = 0; i < count; i++) {
            grc_exchange_reset(&exchanges[i]);
            grc_exchange_refuse(&exchanges[i], full, 0);
        }
    } else {
        grc_run_group(all, exchanges, count);
    }
    for (size_t i = 0; i < count; i++) {
        struct grc_upstream *upstream = first_of(all, exchanges, i);
        if (upstream)
            leave_room(upstream);
        upstream = grc_upstream_find(all, exchanges[i].upstream);
        if (upstream)
            note_write(all, upstream, &exchanges[i]);
    }
}

void grc_upstreams_run(struct grc_upstreams *all, struct grc_exchange *exchanges, size_t count)
{
    if (count == 1)
        serve_one(all, exchanges);
    else if (count > 1)
        serve_group(all, exchanges, count);
}
