/* Decides whether a call is made: whether there is room for it, whether the cache has its answer,
 * and whether an identical call is in flight. */
#include "upstream/kept.h"

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

static grc_upstreams_wrote_fn *diverted; /* NULL outside of the process of a group */

void grc_upstreams_divert_writes(grc_upstreams_wrote_fn *tell)
{
    diverted = tell;
}

static void drop_kept(struct grc_upstreams *all, struct grc_upstream *upstream, gr_str target)
{
    atomic_fetch_add(&upstream->writes, 1);
    if (all->cache)
        grc_cache_wrote(all->cache, upstream, target);
    if (all->remote && upstream->cached)
        grc_remote_wrote(all->remote, &upstream->remote, target);
}

void grc_upstreams_wrote(struct grc_upstreams *all, const char *name, gr_str target)
{
    struct grc_upstream *upstream = grc_upstream_find(all, name);

    if (upstream)
        drop_kept(all, upstream, target);
}

void grc_upstreams_settle(struct grc_upstreams *all)
{
    if (all->remote)
        grc_remote_settle(all->remote);
}

/* Called after a write: a call that begins from here on must not get the answer of one that began
 * before. */
static void note_write(struct grc_upstreams *all, struct grc_upstream *upstream,
                       const struct grc_exchange *exchange)
{
    if (exchange->method == GR_METHOD_GET)
        return;
    drop_kept(all, upstream, exchange->target);
    if (upstream->cached)
        grc_upstreams_settle(all);
    if (diverted)
        diverted(exchange->upstream, exchange->target);
}

/* --- one GET --- */

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

/* Makes the call of a leader. Returns a copy of its answer for those that wait, or NULL. */
static struct grc_answer *lead_call(struct grc_reading *reading, struct grc_singleflight *share)
{
    grc_run_single(reading->upstream, reading->exchange);
    return grc_kept_put(reading, grc_singleflight_close(reading->all->shares, share));
}

/* Looks in the shared cache before the call. Returns true when the others need not wait for it:
 * they find an answer in this gateway's cache. */
static bool others_are_served(struct grc_reading *reading, bool *ret_served)
{
    *ret_served = reading->looks && grc_kept_look(reading, true);
    return *ret_served || (reading->looks && grc_kept_is_late(reading));
}

static void lead(struct grc_reading *reading, struct grc_singleflight *share)
{
    struct grc_exchange *exchange = reading->exchange;
    struct watch watch = {share, exchange->gone, exchange->gone_arg};
    struct grc_answer *answer = NULL;
    bool served = false;

    if (exchange->gone) {
        exchange->gone = all_gone;
        exchange->gone_arg = &watch;
    }
    /* A cancellation alone does not end the call; all_gone() decides. */
    bool shielded = grc_fiber_shield(true);
    bool others_served = others_are_served(reading, &served);
    if (others_served)
        (void)grc_singleflight_close(reading->all->shares, share);
    else
        answer = lead_call(reading, share);
    grc_fiber_shield(shielded);
    exchange->gone = watch.gone;
    exchange->gone_arg = watch.arg;
    grc_singleflight_publish(share, answer);
    grc_answer_unref(answer);
    if (others_served && !served) {
        grc_run_single(reading->upstream, exchange);
        grc_answer_unref(grc_kept_put(reading, false));
    }
}

/* Waits for the leader's answer. Returns false when the caller has to make the call itself. */
static bool follow(struct grc_reading *reading, struct grc_singleflight *share)
{
    struct grc_exchange *exchange = reading->exchange;

    enum grc_singleflight_end end = grc_singleflight_wait(share, exchange, exchange->deadline_ms);

    if (reading->looks && end != GRC_SINGLEFLIGHT_AGAIN)
        grc_kept_count_miss(reading);
    switch (end) {
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

static void read_shared(struct grc_reading *reading)
{
    struct grc_upstream *upstream = reading->upstream;
    struct grc_singleflight_key key = {
        .exchange = reading->exchange,
        .upstream = upstream,
        .hash = grc_singleflight_hash(reading->exchange, upstream, reading->all->seed),
        .epoch = atomic_load(&upstream->writes),
        .looks = reading->looks,
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
        /* The leader may have found the answer in the shared cache. */
        if (reading->looks && grc_kept_find(reading))
            return;
    }
    grc_run_single(upstream, reading->exchange);
}

static void make_reading(struct grc_reading *reading, int64_t now_ms)
{
    struct grc_exchange *exchange = reading->exchange;
    int64_t own_deadline_ms = exchange->deadline_ms;

    if (!reading->upstream->settings->single_flight || !grc_singleflight_fits(exchange)) {
        if (reading->looks && grc_kept_look(reading, false))
            return;
        grc_run_single(reading->upstream, exchange);
        if (reading->cached)
            grc_answer_unref(grc_kept_put(reading, false));
        return;
    }
    /* One deadline for waiting for another call and then making one. */
    exchange->deadline_ms = grc_exchange_deadline(exchange, reading->upstream, now_ms);
    read_shared(reading);
    exchange->deadline_ms = own_deadline_ms;
}

/* --- all --- */

static void serve_one(struct grc_upstreams *all, struct grc_exchange *exchange)
{
    struct grc_reading reading = {
        .all = all,
        .upstream = grc_upstream_find(all, exchange->upstream),
        .exchange = exchange,
    };
    int64_t began_us = grc_mono_us();

    grc_exchange_reset(exchange);
    if (!reading.upstream)
        return;
    if (!grc_kept_find(&reading)) {
        if (!take_room(reading.upstream))
            grc_exchange_refuse(exchange, reading.upstream, 0);
        else
            make_reading(&reading, began_us / 1000);
        leave_room(reading.upstream);
        note_write(all, reading.upstream, exchange);
        if (exchange->source != GRC_FROM_CACHE)
            exchange->cache_state = reading.state;
        grc_kept_find_stale(&reading);
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
