#include "upstream/singleflight.h"

#include "base/clock.h"
#include "base/hash.h"
#include "loop/wait.h"

#include <pthread.h>
#include <stdlib.h>

#define SHARDS 64u
#define STEP_MS 100 /* how often a wait checks whether its client has left */

struct grc_singleflight {
    struct grc_singleflight *next; /* in its shard, while it may be joined */
    struct grc_singleflight_key key;
    pthread_mutex_t lock;
    struct grc_queue over;
    _Atomic unsigned refs;
    _Atomic unsigned waiting;
    bool done;
    struct grc_answer *answer; /* set with `done`; may be NULL */
};

struct shard {
    pthread_mutex_t lock;
    struct grc_singleflight *list;
    char apart[64]; /* shards do not share a cache line */
};

struct grc_singleflights {
    struct shard shards[SHARDS];
};

struct grc_singleflights *grc_singleflights_new(void)
{
    struct grc_singleflights *shares = calloc(1, sizeof(*shares));

    for (size_t i = 0; shares && i < SHARDS; i++)
        pthread_mutex_init(&shares->shards[i].lock, NULL);
    return shares;
}

void grc_singleflights_free(struct grc_singleflights *shares)
{
    for (size_t i = 0; shares && i < SHARDS; i++)
        pthread_mutex_destroy(&shares->shards[i].lock);
    free(shares);
}

/* --- alike --- */

bool grc_singleflight_fits(const struct grc_exchange *exchange)
{
    return exchange->method == GR_METHOD_GET && !exchange->has_body && !exchange->alone;
}

uint64_t grc_singleflight_hash(const struct grc_exchange *exchange, const void *upstream,
                               uint64_t seed)
{
    uint64_t hash = grc_hash(seed ^ (uint64_t)(uintptr_t)upstream, exchange->target);

    hash = grc_hash(hash, exchange->partition);
    hash = grc_hash(hash + exchange->no_credential, gr_str_of(exchange->bearer));
    for (size_t i = 0; i < exchange->header_count; i++) {
        hash = grc_hash(hash, exchange->headers[i].name);
        hash = grc_hash(hash, exchange->headers[i].value);
    }
    return hash;
}

static bool same_headers(const struct grc_exchange *a, const struct grc_exchange *b)
{
    if (a->header_count != b->header_count)
        return false;
    for (size_t i = 0; i < a->header_count; i++) {
        if (!gr_str_eq(a->headers[i].name, b->headers[i].name) ||
            !gr_str_eq(a->headers[i].value, b->headers[i].value))
            return false;
    }
    return true;
}

static bool alike(const struct grc_singleflight_key *one, const struct grc_singleflight_key *other)
{
    const struct grc_exchange *a = one->exchange;
    const struct grc_exchange *b = other->exchange;

    return one->hash == other->hash && one->epoch == other->epoch && one->looks == other->looks &&
           one->upstream == other->upstream && a->no_credential == b->no_credential &&
           !a->bearer == !b->bearer && gr_str_eq(gr_str_of(a->bearer), gr_str_of(b->bearer)) &&
           gr_str_eq(a->target, b->target) && gr_str_eq(a->partition, b->partition) &&
           same_headers(a, b);
}

/* --- one call --- */

static struct grc_singleflight *share_new(const struct grc_singleflight_key *key)
{
    struct grc_singleflight *share = calloc(1, sizeof(*share));

    if (!share)
        return NULL;
    share->key = *key;
    atomic_init(&share->refs, 1);
    pthread_mutex_init(&share->lock, NULL);
    return share;
}

static void share_unref(struct grc_singleflight *share)
{
    if (atomic_fetch_sub_explicit(&share->refs, 1, memory_order_acq_rel) != 1)
        return;
    grc_answer_unref(share->answer);
    pthread_mutex_destroy(&share->lock);
    free(share);
}

static struct shard *shard_of(struct grc_singleflights *shares, uint64_t hash)
{
    return &shares->shards[hash % SHARDS];
}

struct grc_singleflight *grc_singleflight_enter(struct grc_singleflights *shares,
                                                const struct grc_singleflight_key *key,
                                                bool *ret_leads)
{
    struct shard *shard = shard_of(shares, key->hash);

    pthread_mutex_lock(&shard->lock);
    struct grc_singleflight *share = shard->list;
    /* While a call is in the list, the exchange of its leader is valid. */
    while (share && !alike(&share->key, key))
        share = share->next;
    *ret_leads = !share;
    if (share) {
        atomic_fetch_add_explicit(&share->refs, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&share->waiting, 1, memory_order_relaxed);
    } else {
        share = share_new(key);
        if (share) {
            share->next = shard->list;
            shard->list = share;
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return share;
}

unsigned grc_singleflight_waiting(struct grc_singleflight *share)
{
    return atomic_load_explicit(&share->waiting, memory_order_relaxed);
}

bool grc_singleflight_close(struct grc_singleflights *shares, struct grc_singleflight *share)
{
    struct shard *shard = shard_of(shares, share->key.hash);

    pthread_mutex_lock(&shard->lock);
    struct grc_singleflight **at = &shard->list;
    while (*at != share)
        at = &(*at)->next;
    *at = share->next;
    pthread_mutex_unlock(&shard->lock);
    return grc_singleflight_waiting(share) > 0;
}

void grc_singleflight_publish(struct grc_singleflight *share, struct grc_answer *answer)
{
    if (grc_singleflight_waiting(share) > 0) {
        pthread_mutex_lock(&share->lock);
        share->answer = answer ? grc_answer_ref(answer) : NULL;
        share->done = true;
        grc_queue_wake_all(&share->over);
        pthread_mutex_unlock(&share->lock);
    }
    share_unref(share);
}

bool grc_singleflight_worth(const struct grc_exchange *exchange)
{
    switch (exchange->err) {
    case GR_OK:
    case GR_ERR_UPSTREAM_CONNECT:
    case GR_ERR_UPSTREAM_BROKEN:
    case GR_ERR_UPSTREAM_BUSY:
        return true;
    default:
        /* Its client left, its deadline was too short, or it was out of memory. */
        return false;
    }
}

/* --- waiting --- */

static bool client_gone(const struct grc_exchange *exchange)
{
    return exchange->gone && exchange->gone(exchange->gone_arg);
}

/* Waits for the end of the leader's call, at most until when_ms. */
static enum grc_woken wait_until(struct grc_singleflight *share, int64_t when_ms)
{
    enum grc_woken woken = GRC_WOKEN_READY;

    pthread_mutex_lock(&share->lock);
    while (!share->done && woken == GRC_WOKEN_READY)
        woken = grc_queue_wait(&share->over, &share->lock, when_ms, GRC_WAITS_SHARED);
    if (share->done)
        woken = GRC_WOKEN_READY;
    pthread_mutex_unlock(&share->lock);
    return woken;
}

static enum grc_singleflight_end wait_done(struct grc_singleflight *share,
                                           const struct grc_exchange *exchange, int64_t deadline_ms)
{
    for (;;) {
        int64_t step_ms = grc_mono_ms() + STEP_MS;
        enum grc_woken woken = wait_until(share, step_ms < deadline_ms ? step_ms : deadline_ms);

        if (woken == GRC_WOKEN_READY)
            return share->answer ? GRC_SINGLEFLIGHT_ANSWERED : GRC_SINGLEFLIGHT_AGAIN;
        if (woken == GRC_WOKEN_CANCELLED || client_gone(exchange))
            return GRC_SINGLEFLIGHT_GONE;
        if (woken == GRC_WOKEN_FAILED || grc_mono_ms() >= deadline_ms)
            return GRC_SINGLEFLIGHT_LATE;
    }
}

enum grc_singleflight_end grc_singleflight_wait(struct grc_singleflight *share,
                                                struct grc_exchange *exchange, int64_t deadline_ms)
{
    enum grc_singleflight_end end = wait_done(share, exchange, deadline_ms);

    if (end == GRC_SINGLEFLIGHT_ANSWERED)
        grc_answer_give(grc_answer_ref(share->answer), exchange, true);
    atomic_fetch_sub_explicit(&share->waiting, 1, memory_order_relaxed);
    share_unref(share);
    return end;
}
