#include "guard/shared.h"

#include "base/clock.h"
#include "base/secure.h"
#include "guard/shared_scripts.h"
#include "guard/shared_state.h"
#include "metrics/metrics.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRIES 65536u
/* How long a request waits for a place that another gateway may be about to give back. */
#define PLACE_WAIT_MS 250

/* --- counters --- */

static _Atomic uint64_t counts[GRC_SHARED_EVENTS];

void grc_shared_count(enum grc_shared_event event)
{
    atomic_fetch_add_explicit(&counts[event], 1, memory_order_relaxed);
}

void grc_shared_report(struct grc_shared *shared, struct grc_buf *out)
{
    static const struct {
        const char *name;
        const char *help;
    } rows[GRC_SHARED_EVENTS] = {
        {"shared_limits_questions_total", "Questions that the server of shared limits was asked"},
        {"shared_limits_waits_total", "Requests that waited for an answer of that server"},
        {"shared_limits_alone_total",
         "Requests that were counted alone or refused because that server was not reached in time"},
        {"shared_limits_failures_total",
         "Connections to that server that were lost or could not be made"},
    };

    if (!shared)
        return;
    grc_metrics_head(out, "shared_limits_reached", "gauge",
                     "Whether the server of shared limits is reached");
    grc_metrics_sample(out, "shared_limits_reached", NULL,
                       atomic_load(&shared->link.state) == GRC_REDIS_REACHED);
    for (size_t i = 0; i < GRC_SHARED_EVENTS; i++) {
        grc_metrics_head(out, rows[i].name, "counter", rows[i].help);
        grc_metrics_sample(out, rows[i].name, NULL, (double)atomic_load(&counts[i]));
    }
}

bool grc_shared_works(struct grc_shared *shared, char *ret_reason, size_t size)
{
    return grc_redis_link_works(&shared->link, ret_reason, size);
}

/* --- life --- */

struct grc_shared *grc_shared_new(const struct grc_shared_settings *settings, char **ret_reason)
{
    struct grc_shared *shared = calloc(1, sizeof(*shared));
    unsigned char name[16];

    if (!shared)
        return NULL;
    for (size_t i = 0; i < GRC_SHARED_PARTS; i++)
        pthread_mutex_init(&shared->parts[i].mutex, NULL);
    shared->settings = settings;
    shared->set_mask = ENTRIES / GRC_SHARED_WAYS - 1;
    shared->entries = calloc(ENTRIES, sizeof(*shared->entries));
    grc_redis_script_init(&shared->take.script, GRC_SHARED_TAKE);
    grc_redis_script_init(&shared->hold.script, GRC_SHARED_HOLD);
    grc_random(name, sizeof(name));
    grc_hex(name, sizeof(name), shared->self);
    shared->link.settings = &settings->server;
    shared->link.use = &grc_shared_use;
    shared->link.arg = shared;
    shared->link.meanwhile =
        settings->closed ? "requests with a limit get 503" : "this gateway counts alone";
    if (grc_redis_link_init(&shared->link, ret_reason) && shared->entries)
        return shared;
    grc_shared_free(shared);
    return NULL;
}

bool grc_shared_start(struct grc_shared *shared)
{
    return grc_redis_link_start(&shared->link);
}

void grc_shared_free(struct grc_shared *shared)
{
    if (!shared)
        return;
    grc_redis_link_stop(&shared->link);
    grc_redis_link_done(&shared->link);
    for (size_t i = 0; i < GRC_SHARED_PARTS; i++)
        pthread_mutex_destroy(&shared->parts[i].mutex);
    free(shared->entries);
    free(shared);
}

/* --- the table; the part of the entry is locked --- */

static struct grc_shared_entry *find(struct grc_shared *shared, uint64_t key)
{
    struct grc_shared_entry *set = &shared->entries[(key & shared->set_mask) * GRC_SHARED_WAYS];

    for (size_t i = 0; i < GRC_SHARED_WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
    }
    return NULL;
}

/* True when no request and no question refers to the entry. */
static bool is_free(const struct grc_shared_entry *entry)
{
    if (entry->key == 0)
        return true;
    if (entry->queued || entry->active)
        return false;
    return entry->is_hold ? grc_hold_idle(&entry->hold)
                          : entry->lease.waiting == 0 && entry->lease.asked == 0;
}

/* Replaces the free entry that has not been used for the longest time. NULL when all are in use. */
static struct grc_shared_entry *place_for(struct grc_shared *shared, uint64_t key)
{
    struct grc_shared_entry *set = &shared->entries[(key & shared->set_mask) * GRC_SHARED_WAYS];
    struct grc_shared_entry *oldest = NULL;

    for (size_t i = 0; i < GRC_SHARED_WAYS; i++) {
        if (is_free(&set[i]) && (!oldest || set[i].at_us < oldest->at_us))
            oldest = &set[i];
    }
    return oldest;
}

/* The digest is the same on all gateways, and does not disclose the name. */
static void digest_of(const struct grc_shared_name *name, unsigned char ret[GRC_SHARED_DIGEST])
{
    unsigned char whole[32];
    unsigned char parts[1 + sizeof(whole) * 2] = {(unsigned char)name->class};

    grc_sha256(name->who, parts + 1);
    grc_sha256(name->what, parts + 1 + sizeof(whole));
    grc_sha256((gr_str){(const char *)parts, sizeof(parts)}, whole);
    memcpy(ret, whole, GRC_SHARED_DIGEST);
}

static struct grc_shared_entry *obtain(struct grc_shared *shared,
                                       const struct grc_shared_name *name, uint64_t key,
                                       bool is_hold, int64_t now_us)
{
    struct grc_shared_entry *entry = find(shared, key);

    if (!entry) {
        entry = place_for(shared, key);
        if (!entry)
            return NULL;
        *entry = (struct grc_shared_entry){.key = key, .is_hold = is_hold};
        digest_of(name, entry->digest);
    }
    entry->at_us = now_us;
    return entry;
}

void grc_shared_ask(struct grc_shared *shared, struct grc_shared_entry *entry, bool urgent)
{
    if (entry->queued && (entry->urgent || !urgent))
        return;
    pthread_mutex_lock(&shared->link.lock);
    if (!entry->queued) {
        entry->next_question = shared->questions;
        shared->questions = entry;
    }
    if (urgent || !shared->gathers)
        grc_redis_link_wake(&shared->link);
    pthread_mutex_unlock(&shared->link.lock);
    entry->queued = true;
    entry->urgent = urgent;
}

static uint64_t key_of(const struct grc_shared_name *name)
{
    return grc_rates_key(name->class, name->who, name->what);
}

/* Once a request has waited in vain, the next ones do not wait. */
static enum grc_shared_verdict note_late(struct grc_shared *shared, enum grc_woken woken)
{
    if (woken == GRC_WOKEN_LATE)
        grc_redis_link_late(&shared->link);
    return GRC_SHARED_AWAY;
}

/* --- rates --- */

/* Asks for tokens, and waits for the answer. */
static enum grc_woken wait_for_token(struct grc_shared *shared, struct grc_shared_entry *entry,
                                     pthread_mutex_t *held, int64_t until_ms)
{
    entry->lease.waiting++;
    grc_shared_ask(shared, entry, true);
    enum grc_woken woken = grc_queue_wait(&entry->queue, held, until_ms, GRC_WAITS_LIMIT);
    entry->lease.waiting--;
    return woken;
}

static enum grc_shared_verdict take(struct grc_shared *shared, struct grc_shared_entry *entry,
                                    pthread_mutex_t *held)
{
    int64_t until_ms = 0;

    for (;;) {
        int64_t now_us = grc_mono_us();
        enum grc_lease_verdict verdict = grc_lease_take(&entry->lease, now_us);

        if (verdict == GRC_LEASE_TAKEN) {
            if (grc_lease_want(&entry->lease, &entry->rate, now_us) > 0)
                grc_shared_ask(shared, entry, false);
            return GRC_SHARED_PASSES;
        }
        if (verdict == GRC_LEASE_NONE)
            return GRC_SHARED_REFUSED;
        if (!grc_redis_link_is_reached(&shared->link))
            return GRC_SHARED_AWAY;
        if (until_ms == 0) {
            until_ms = grc_mono_ms() + shared->settings->server.timeout_ms;
            grc_shared_count(GRC_SHARED_WAIT);
        }
        enum grc_woken woken = wait_for_token(shared, entry, held, until_ms);
        if (woken != GRC_WOKEN_READY)
            return note_late(shared, woken);
    }
}

enum grc_shared_verdict grc_shared_take(struct grc_shared *shared,
                                        const struct grc_shared_name *name,
                                        const struct grc_rate *rate, struct grc_rate_view *ret_view)
{
    uint64_t key = key_of(name);
    pthread_mutex_t *mutex = grc_shared_mutex(shared, key);
    enum grc_shared_verdict verdict = GRC_SHARED_AWAY;

    if (grc_redis_link_is_reached(&shared->link)) {
        pthread_mutex_lock(mutex);
        struct grc_shared_entry *entry = obtain(shared, name, key, false, grc_mono_us());

        verdict = GRC_SHARED_NO_ROOM;
        if (entry) {
            entry->rate = *rate;
            verdict = take(shared, entry, mutex);
            *ret_view = grc_lease_view(&entry->lease, rate, grc_mono_us());
        }
        pthread_mutex_unlock(mutex);
    }
    if (verdict == GRC_SHARED_AWAY)
        grc_shared_count(GRC_SHARED_ALONE);
    return verdict;
}

void grc_shared_look(struct grc_shared *shared, const struct grc_shared_name *name,
                     const struct grc_rate *rate, struct grc_rate_view *ret_view)
{
    uint64_t key = key_of(name);
    pthread_mutex_t *mutex = grc_shared_mutex(shared, key);

    pthread_mutex_lock(mutex);
    const struct grc_shared_entry *entry = find(shared, key);
    const struct grc_lease lease = entry ? entry->lease : (struct grc_lease){.held = 0};
    pthread_mutex_unlock(mutex);
    *ret_view = grc_lease_view(&lease, rate, grc_mono_us());
}

/* --- concurrent uses --- */

/* Waits for a place. GRC_SHARED_PASSES: there may be one now. since_ms and answers are the time and
 * the number of answers when the request came. */
static enum grc_shared_verdict wait_for_place(struct grc_shared *shared,
                                              struct grc_shared_entry *entry, pthread_mutex_t *held,
                                              int64_t since_ms, uint64_t answers)
{
    struct grc_hold *hold = &entry->hold;
    int64_t place_ms = since_ms + PLACE_WAIT_MS;
    int64_t late_ms = since_ms + shared->settings->server.timeout_ms;
    bool place_is_later = place_ms > late_ms;

    hold->waiting++;
    grc_shared_ask(shared, entry, true);
    enum grc_woken woken =
        grc_queue_wait(&entry->queue, held, place_is_later ? late_ms : place_ms, GRC_WAITS_LIMIT);
    /* After an answer the request waits for a place; before it, for the answer. */
    if (woken == GRC_WOKEN_LATE && place_is_later == (hold->answers != answers))
        woken = grc_queue_wait(&entry->queue, held, place_is_later ? place_ms : late_ms,
                               GRC_WAITS_LIMIT);
    hold->waiting--;
    if (woken == GRC_WOKEN_READY)
        return GRC_SHARED_PASSES;
    if (woken == GRC_WOKEN_LATE && hold->answers != answers)
        return GRC_SHARED_REFUSED;
    return note_late(shared, woken);
}

/* Counts the uses of this gateway alone. */
static enum grc_shared_verdict enter_alone(struct grc_shared *shared,
                                           struct grc_shared_entry *entry, bool alone)
{
    grc_shared_count(GRC_SHARED_ALONE);
    if (!alone)
        return GRC_SHARED_AWAY;
    if (entry->hold.used >= entry->max)
        return GRC_SHARED_REFUSED;
    entry->hold.used++;
    grc_shared_ask(shared, entry, true); /* so that it is counted for all when the server is back */
    return GRC_SHARED_PASSES;
}

static enum grc_shared_verdict enter(struct grc_shared *shared, struct grc_shared_entry *entry,
                                     bool alone, pthread_mutex_t *held)
{
    int64_t since_ms = grc_mono_ms();
    uint64_t answers = entry->hold.answers;
    bool waited = false;

    for (;;) {
        if (!grc_redis_link_is_reached(&shared->link))
            return enter_alone(shared, entry, alone);
        enum grc_hold_verdict verdict = grc_hold_enter(&entry->hold, entry->max, grc_mono_us());

        if (verdict == GRC_HOLD_TAKEN)
            return GRC_SHARED_PASSES;
        if (verdict == GRC_HOLD_FULL)
            return GRC_SHARED_REFUSED;
        if (!waited)
            grc_shared_count(GRC_SHARED_WAIT);
        waited = true;
        enum grc_shared_verdict came = wait_for_place(shared, entry, held, since_ms, answers);
        if (came == GRC_SHARED_AWAY)
            return enter_alone(shared, entry, alone);
        if (came != GRC_SHARED_PASSES)
            return came;
    }
}

enum grc_shared_verdict grc_shared_enter(struct grc_shared *shared,
                                         const struct grc_shared_name *name, int64_t max,
                                         bool alone, uint64_t *ret_key)
{
    enum grc_shared_verdict verdict = GRC_SHARED_NO_ROOM;
    uint64_t key = key_of(name);
    pthread_mutex_t *mutex = grc_shared_mutex(shared, key);

    pthread_mutex_lock(mutex);
    struct grc_shared_entry *entry = obtain(shared, name, key, true, grc_mono_us());
    if (entry) {
        entry->max = max;
        verdict = enter(shared, entry, alone, mutex);
    }
    pthread_mutex_unlock(mutex);
    *ret_key = key;
    return verdict;
}

void grc_shared_leave(struct grc_shared *shared, uint64_t key)
{
    pthread_mutex_t *mutex = grc_shared_mutex(shared, key);

    pthread_mutex_lock(mutex);
    struct grc_shared_entry *entry = find(shared, key);
    if (entry) {
        grc_hold_leave(&entry->hold);
        /* The place goes to a request that waits here, or back to the server. */
        if (!grc_queue_wake(&entry->queue) && grc_hold_returns(&entry->hold))
            grc_shared_ask(shared, entry, true);
    }
    pthread_mutex_unlock(mutex);
}
