#include "upstream/kept.h"

#include "base/clock.h"
#include "loop/wait.h"

/* How often a gateway looks whether another one has the answer. */
#define LOOK_FIRST_MS 5
#define LOOK_MAX_MS 50

static void count(const struct grc_reading *reading, enum grc_upstream_event event)
{
    grc_metrics_upstream_event(reading->upstream->metrics, event);
}

void grc_kept_count_miss(const struct grc_reading *reading)
{
    count(reading, GRC_UPSTREAM_CACHE_MISS);
}

static void give(struct grc_reading *reading, struct grc_answer *stolen,
                 const struct grc_cache_found *found)
{
    struct grc_exchange *exchange = reading->exchange;

    grc_answer_give(stolen, exchange, false);
    exchange->source = GRC_FROM_CACHE;
    exchange->cache_state = found->state;
    exchange->age_s = found->age_s;
    exchange->fresh_s = found->fresh_s;
}

/* --- in this gateway --- */

static bool find_own(struct grc_reading *reading)
{
    struct grc_cache_found found;
    struct grc_answer *answer = grc_cache_get(reading->all->cache, &reading->key,
                                              &reading->exchange->cache, grc_mono_ms(), &found);

    if (!answer)
        return false;
    count(reading, GRC_UPSTREAM_CACHE_HIT);
    give(reading, answer, &found);
    return true;
}

/* Begins a reading that looks in the shared cache. Returns true when the copy that was found has to
 * be checked there before it is served. */
static bool must_check(struct grc_reading *reading, const struct grc_answer *answer,
                       const struct grc_cache_found *found, int64_t now_ms)
{
    struct grc_remote *remote = reading->all->remote;

    reading->looks = remote && grc_remote_is_reached(remote);
    if (!reading->looks || (answer && now_ms < found->checked_ms))
        return false;
    /* A late copy is not enough: another gateway may have fetched a new one. */
    reading->generation = answer && found->fresh_s >= 0 ? found->generation : 0;
    return answer != NULL;
}

bool grc_kept_find(struct grc_reading *reading)
{
    struct grc_exchange *exchange = reading->exchange;
    struct grc_cache *cache = reading->all->cache;
    struct grc_cache_found found;

    reading->cached = cache && grc_cache_fits(exchange);
    if (!reading->cached)
        return false;
    int64_t now_ms = grc_mono_ms();
    reading->key = grc_cache_key(exchange, reading->upstream, reading->all->seed);
    struct grc_answer *answer =
        grc_cache_get(cache, &reading->key, &exchange->cache, now_ms, &found);
    if (must_check(reading, answer, &found, now_ms)) {
        grc_answer_unref(answer);
        answer = NULL;
        found.state = GRC_CACHE_MISS;
    }
    if (answer) {
        count(reading, GRC_UPSTREAM_CACHE_HIT);
        give(reading, answer, &found);
        return true;
    }
    if (!reading->looks)
        grc_kept_count_miss(reading);
    reading->state = found.state;
    reading->mark = grc_cache_mark(cache, &reading->key);
    return false;
}

/* --- in the shared cache --- */

/* Returns what this gateway has, if it may be served while a call fetches a new answer. */
static struct grc_answer *late_copy(struct grc_reading *reading, struct grc_cache_found *ret_found)
{
    const struct grc_cache_settings times = {
        .stale_if_error_ms = reading->exchange->cache.stale_while_revalidate_ms};

    return times.stale_if_error_ms > 0 ? grc_cache_get_stale(reading->all->cache, &reading->key,
                                                             &times, grc_mono_ms(), ret_found)
                                       : NULL;
}

bool grc_kept_is_late(struct grc_reading *reading)
{
    struct grc_cache_found found;
    struct grc_answer *late = late_copy(reading, &found);

    grc_answer_unref(late);
    return late != NULL;
}

/* Keeps the answer from the shared cache in this gateway too, and gives it to the exchange if it is
 * not late. */
static bool take_found(struct grc_reading *reading)
{
    const struct grc_remote_found *look = &reading->look;
    const struct grc_cache_found found = {
        .state = GRC_CACHE_HIT, .age_s = look->life.age_s, .fresh_s = look->life.ttl_ms / 1000};

    (void)grc_cache_put(reading->all->cache, &reading->key, reading->mark, look->answer,
                        grc_mono_ms(), &look->life);
    if (look->verdict != GRC_REMOTE_KEPT) {
        grc_answer_unref(look->answer);
        return false;
    }
    count(reading, GRC_UPSTREAM_CACHE_SHARED_HIT);
    give(reading, look->answer, &found);
    reading->exchange->cache_shared = true;
    return true;
}

/* Takes what a look has brought. Returns true when the exchange is filled. */
static bool take_look(struct grc_reading *reading)
{
    struct grc_remote_found *look = &reading->look;

    if (look->verdict == GRC_REMOTE_AWAY) {
        count(reading, GRC_UPSTREAM_CACHE_SHARED_AWAY);
        /* As without a shared cache. A call that has to fetch a new answer does not take a late
         * one. */
        return reading->state != GRC_CACHE_STALE && find_own(reading);
    }
    if (look->refused)
        count(reading, GRC_UPSTREAM_CACHE_SHARED_REFUSED);
    grc_cache_check(reading->all->cache, &reading->key, look->generation,
                    look->asked_ms + reading->all->settings->cache.shared.recheck_ms);
    if (look->verdict == GRC_REMOTE_SAME)
        return find_own(reading);
    return look->answer && take_found(reading);
}

static bool has_left(struct grc_reading *reading)
{
    struct grc_exchange *exchange = reading->exchange;

    if (!exchange->gone || !exchange->gone(exchange->gone_arg))
        return false;
    exchange->err = GR_ERR_CANCELLED;
    count(reading, GRC_UPSTREAM_CANCELLED);
    return true;
}

/* Until when to wait for another gateway: as long as a lease lasts, but at most for half of the
 * time until the deadline, since this gateway may have to make the call itself. */
static int64_t patience_ms(const struct grc_reading *reading, int64_t now_ms)
{
    int64_t lease_ms = reading->all->settings->cache.shared.lease_ms;
    int64_t left_ms = reading->exchange->deadline_ms - now_ms;

    return now_ms +
           (reading->exchange->deadline_ms > 0 && left_ms / 2 < lease_ms ? left_ms / 2 : lease_ms);
}

bool grc_kept_look(struct grc_reading *reading, bool leases)
{
    struct grc_remote_question question = {
        .name = &reading->name, .generation = reading->generation, .leases = leases, .late = true};
    int64_t until_ms = patience_ms(reading, grc_mono_ms());
    int64_t pause_ms = LOOK_FIRST_MS;

    reading->name =
        grc_remote_name(reading->all->remote, &reading->upstream->remote, &reading->key);
    for (;;) {
        struct grc_cache_found found;
        bool first = pause_ms == LOOK_FIRST_MS;

        reading->look = grc_remote_look(reading->all->remote, &question);
        if (take_look(reading))
            return true;
        bool lost =
            reading->look.verdict == GRC_REMOTE_SAME; /* the own copy was dropped meanwhile */
        question.generation = 0;
        if (lost)
            continue;
        struct grc_answer *late =
            reading->look.verdict == GRC_REMOTE_HELD ? late_copy(reading, &found) : NULL;
        if (late) {
            count(reading, GRC_UPSTREAM_CACHE_HIT);
            give(reading, late, &found);
            return true;
        }
        int64_t now_ms = grc_mono_ms();
        if (reading->look.verdict != GRC_REMOTE_HELD || !leases || now_ms >= until_ms)
            break;
        if (has_left(reading))
            return true;
        if (first)
            count(reading, GRC_UPSTREAM_CACHE_SHARED_WAIT);
        question.late = false;
        (void)grc_wait_until(now_ms + pause_ms < until_ms ? now_ms + pause_ms : until_ms,
                             GRC_WAITS_SHARED);
        pause_ms = pause_ms * 2 < LOOK_MAX_MS ? pause_ms * 2 : LOOK_MAX_MS;
    }
    grc_kept_count_miss(reading);
    return false;
}

/* Hands an answer of the upstream on to other gateways, or tells them that there is none. kept:
 * whether this gateway has kept it. */
static void hand_on(struct grc_reading *reading, const struct grc_answer *answer, int64_t ttl_ms,
                    bool kept)
{
    const struct grc_exchange *exchange = reading->exchange;
    struct grc_remote *remote = reading->all->remote;
    int64_t stale_ms = exchange->freshness.no_stale ? 0 : grc_cache_stale_ms(&exchange->cache);
    const struct grc_remote_times times = {
        .ttl_ms = ttl_ms, .stale_ms = stale_ms, .age_s = exchange->freshness.age_s};

    if (!reading->looks || reading->look.verdict == GRC_REMOTE_AWAY)
        return;
    if (!kept || !grc_remote_keep(remote, &reading->name, &reading->look, answer, &times))
        grc_remote_end(remote, &reading->name, &reading->look, grc_singleflight_worth(exchange));
}

struct grc_answer *grc_kept_put(struct grc_reading *reading, bool waited_for)
{
    struct grc_exchange *exchange = reading->exchange;
    int64_t ttl_ms = reading->cached ? grc_cache_ttl_ms(exchange) : 0;
    bool worth = waited_for && grc_singleflight_worth(exchange);
    struct grc_answer *answer = ttl_ms > 0 || worth ? grc_answer_new(exchange) : NULL;
    struct grc_cache_life life = {.ttl_ms = ttl_ms,
                                  .age_s = exchange->freshness.age_s,
                                  .no_stale = exchange->freshness.no_stale};

    if (reading->looks) {
        /* What the upstream said may be older than the end of its answer, so the time until the
         * next check is counted from before the question. */
        life.generation = reading->look.generation;
        life.checked_ms = reading->look.asked_ms + reading->all->settings->cache.shared.recheck_ms;
    }
    exchange->cache_stored = answer && ttl_ms > 0 &&
                             grc_cache_put(reading->all->cache, &reading->key, reading->mark,
                                           answer, grc_mono_ms(), &life);
    hand_on(reading, answer, ttl_ms, exchange->cache_stored);
    if (!worth) {
        grc_answer_unref(answer);
        return NULL;
    }
    return answer;
}

/* --- late answers --- */

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

void grc_kept_find_stale(struct grc_reading *reading)
{
    struct grc_exchange *exchange = reading->exchange;
    struct grc_cache_found found;

    if (!reading->cached || exchange->cache.stale_if_error_ms == 0 || !has_failed(exchange))
        return;
    struct grc_answer *answer = grc_cache_get_stale(reading->all->cache, &reading->key,
                                                    &exchange->cache, grc_mono_ms(), &found);
    if (!answer)
        return;
    count(reading, GRC_UPSTREAM_CACHE_STALE);
    /* Nothing of the failed answer stays. */
    exchange->retry_after = (gr_str){NULL, 0};
    exchange->answer_headers = NULL;
    exchange->answer_header_count = 0;
    give(reading, answer, &found);
}
