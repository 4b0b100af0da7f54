/* The thread that asks the server of shared limits. */
#include "base/clock.h"
#include "base/log.h"
#include "base/secure.h"
#include "guard/shared_state.h"

#include <stdatomic.h>
#include <stdio.h>

/* How often holds are looked at while there are some. */
#define TICK_MS 5
/* How often an idle connection is tried, so that a loss is known before a request needs it. */
#define PROBE_MS 1000
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 5000
/* Questions that are sent before their answers are read. */
#define BATCH 128u

struct question {
    struct grc_shared_entry *entry;
    bool is_hold;
    int64_t wanted;
    int64_t used; /* of a hold */
    int64_t max;
    struct grc_rate rate;
    unsigned char digest[GRC_SHARED_DIGEST];
};

struct batch {
    struct question questions[BATCH];
    size_t count;
};

/* --- the state --- */

/* Tells requests and operators once that something has changed. */
static void set_state(struct grc_shared *shared, enum grc_shared_state state, const char *reason)
{
    pthread_mutex_lock(&shared->lock);
    int before = atomic_load(&shared->state);
    snprintf(shared->reason, sizeof(shared->reason), "%s", reason);
    atomic_store_explicit(&shared->state, state, memory_order_release);
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
    if (before == (int)state)
        return;
    if (state == GRC_SHARED_LOST)
        grc_log_fields(GR_LOG_ERROR, "the server of shared limits cannot be used",
                       GRC_LOG_FIELDS(GRC_LT("reason", reason),
                                      GRC_LT("meanwhile", shared->settings->closed
                                                              ? "requests with a limit get 503"
                                                              : "this gateway counts alone")));
    else
        grc_info("the server of shared limits is reached: limits count over all gateways");
}

static bool stopping(struct grc_shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    bool stops = shared->stopping;
    pthread_mutex_unlock(&shared->lock);
    return stops;
}

/* --- sending --- */

/* Queues one question; false without memory. */
static bool send_take(struct grc_shared *shared, const char *key, double per_s, int64_t burst,
                      int64_t wanted)
{
    char rate[40];
    char size[24];
    char number[24];
    const char *args[] = {rate, size, number};

    snprintf(rate, sizeof(rate), "%.9f", per_s);
    snprintf(size, sizeof(size), "%lld", (long long)burst);
    snprintf(number, sizeof(number), "%lld", (long long)wanted);
    return grc_redis_call(shared->redis, &shared->take, shared->whole_take, key, args, 3);
}

static bool send_hold(struct grc_shared *shared, const char *key, int64_t used, int64_t wanted,
                      int64_t max)
{
    char texts[3][24];
    char ttl[24];
    const char *args[] = {shared->self, texts[0], texts[1], texts[2], ttl};

    snprintf(texts[0], sizeof(texts[0]), "%lld", (long long)used);
    snprintf(texts[1], sizeof(texts[1]), "%lld", (long long)wanted);
    snprintf(texts[2], sizeof(texts[2]), "%lld", (long long)max);
    snprintf(ttl, sizeof(ttl), "%d", GRC_HOLD_TTL_MS);
    return grc_redis_call(shared->redis, &shared->hold, shared->whole_hold, key, args, 5);
}

static bool send(struct grc_shared *shared, const struct question *question)
{
    char hex[2 * GRC_SHARED_DIGEST + 1];
    char key[64];

    grc_hex(question->digest, GRC_SHARED_DIGEST, hex);
    snprintf(key, sizeof(key), "greenroom:%s:%s", question->is_hold ? "use" : "rate", hex);
    grc_shared_count(GRC_SHARED_QUESTION);
    if (question->is_hold)
        return send_hold(shared, key, question->used, question->wanted, question->max);
    return send_take(shared, key, question->rate.per_s, question->rate.burst, question->wanted);
}

/* --- connecting --- */

/* Reads one answer of a probe. */
static bool probe_answer(struct grc_shared *shared, size_t count, bool *whole,
                         char reason[GRC_REDIS_REASON])
{
    int64_t numbers[2];
    enum grc_redis_answer answer = grc_redis_answer(shared->redis, numbers, count, reason);

    *whole = answer == GRC_REDIS_NO_SCRIPT;
    return answer == GRC_REDIS_ANSWERED || answer == GRC_REDIS_NO_SCRIPT;
}

/* Runs both scripts on keys of their own, so that a server that takes no writes, or a user without
 * the rights, is seen before a request needs it. */
static bool probe(struct grc_shared *shared, char reason[GRC_REDIS_REASON])
{
    snprintf(reason, GRC_REDIS_REASON, "out of memory");
    bool sent = send_take(shared, "greenroom:rate:probe", 1000, 1000, 1) &&
                send_hold(shared, "greenroom:use:probe", 0, 1, 1000000);
    bool rate = sent && probe_answer(shared, 2, &shared->whole_take, reason);
    bool use = rate && probe_answer(shared, 1, &shared->whole_hold, reason);

    shared->next_probe_ms = grc_mono_ms() + PROBE_MS;
    return use;
}

static void drop(struct grc_shared *shared, const char *reason)
{
    grc_redis_close(shared->redis);
    shared->redis = NULL;
    grc_shared_count(GRC_SHARED_FAILURE);
    shared->pause_ms = shared->pause_ms ? shared->pause_ms * 2 : PAUSE_FIRST_MS;
    if (shared->pause_ms > PAUSE_MAX_MS)
        shared->pause_ms = PAUSE_MAX_MS;
    /* Gateways that lost the server at the same moment do not come back at the same moment. */
    shared->next_try_ms = grc_mono_ms() + shared->pause_ms / 2 +
                          (int64_t)(grc_random_fast() % (uint64_t)shared->pause_ms);
    set_state(shared, GRC_SHARED_LOST, reason);
}

/* What is in use here may be unknown to a server that comes back. */
static void doubt_holds(struct grc_shared *shared)
{
    for (struct grc_shared_entry *entry = shared->active; entry; entry = entry->next_active) {
        pthread_mutex_t *mutex = grc_shared_mutex(shared, entry->key);

        pthread_mutex_lock(mutex);
        grc_hold_doubt(&entry->hold);
        pthread_mutex_unlock(mutex);
    }
}

static void connect_again(struct grc_shared *shared)
{
    char reason[GRC_REDIS_REASON];

    shared->redis = grc_redis_connect(&shared->url, shared->settings->ca_file,
                                      shared->settings->timeout_ms, reason);
    shared->whole_take = true;
    shared->whole_hold = true;
    if (!shared->redis || !probe(shared, reason)) {
        drop(shared, reason);
        return;
    }
    shared->pause_ms = 0;
    doubt_holds(shared);
    atomic_store(&shared->late, false);
    set_state(shared, GRC_SHARED_REACHED, "");
}

/* --- questions; the part of the entry is locked --- */

/* Fills a question when the entry has one. */
static bool question_of(struct grc_shared_entry *entry, int64_t now_us, struct question *ret)
{
    *ret = (struct question){.entry = entry, .is_hold = entry->is_hold, .max = entry->max};
    ret->rate = entry->rate;
    memcpy(ret->digest, entry->digest, sizeof(ret->digest));
    if (entry->is_hold) {
        ret->wanted = grc_hold_want(&entry->hold, entry->max, now_us);
        ret->used = entry->hold.used;
        return ret->wanted >= 0;
    }
    ret->wanted = grc_lease_want(&entry->lease, &entry->rate, now_us);
    entry->lease.asked += ret->wanted;
    return ret->wanted > 0;
}

/* Takes the answer, and wakes the requests that it is for. */
static void answer(struct grc_shared_entry *entry, const struct question *question,
                   const int64_t numbers[2])
{
    int64_t now_us = grc_mono_us();

    if (!question->is_hold) {
        grc_lease_answer(&entry->lease, &entry->rate, numbers[0], (double)numbers[1] / 1000,
                         now_us);
        grc_queue_wake_all(&entry->queue);
        return;
    }
    grc_hold_answer(&entry->hold, numbers[0], now_us);
    for (int64_t place = entry->hold.used; place < entry->hold.share; place++) {
        if (!grc_queue_wake(&entry->queue))
            break;
    }
}

/* No answer came. The requests look at the state, and ask again while the server is reached. */
static void leave_open(struct grc_shared_entry *entry)
{
    if (entry->is_hold)
        grc_hold_unanswered(&entry->hold);
    else
        entry->lease.asked = 0;
    grc_queue_wake_all(&entry->queue);
}

/* --- a round: questions are collected, sent, and answered --- */

static size_t numbers_of(const struct question *question)
{
    return question->is_hold ? 1 : 2;
}

/* Reads the answer to a question. Returns false when the connection is of no use any more. */
static bool settle(struct grc_shared *shared, const struct question *question,
                   char reason[GRC_REDIS_REASON])
{
    int64_t numbers[2] = {0, 0};
    enum grc_redis_answer outcome =
        grc_redis_answer(shared->redis, numbers, numbers_of(question), reason);
    pthread_mutex_t *mutex = grc_shared_mutex(shared, question->entry->key);

    if (outcome == GRC_REDIS_NO_SCRIPT && question->is_hold)
        shared->whole_hold = true;
    else if (outcome == GRC_REDIS_NO_SCRIPT)
        shared->whole_take = true;
    else if (outcome == GRC_REDIS_ANSWERED && question->is_hold)
        shared->whole_hold = false;
    else if (outcome == GRC_REDIS_ANSWERED)
        shared->whole_take = false;
    else
        return false;
    pthread_mutex_lock(mutex);
    if (outcome == GRC_REDIS_ANSWERED)
        answer(question->entry, question, numbers);
    else
        leave_open(question->entry);
    pthread_mutex_unlock(mutex);
    return true;
}

static void give_up(struct grc_shared *shared, const struct question *question)
{
    pthread_mutex_t *mutex = grc_shared_mutex(shared, question->entry->key);

    pthread_mutex_lock(mutex);
    leave_open(question->entry);
    pthread_mutex_unlock(mutex);
}

/* Sends what was collected, and takes the answers. */
static void flush(struct grc_shared *shared, struct batch *batch)
{
    char reason[GRC_REDIS_REASON] = "out of memory";
    bool works = shared->redis != NULL;
    size_t settled = 0;

    for (size_t i = 0; works && i < batch->count; i++)
        works = send(shared, &batch->questions[i]);
    while (works && settled < batch->count) {
        works = settle(shared, &batch->questions[settled], reason);
        settled += works ? 1 : 0;
    }
    if (!works && shared->redis)
        drop(shared, reason);
    for (; settled < batch->count; settled++)
        give_up(shared, &batch->questions[settled]);
    if (batch->count > 0)
        shared->next_probe_ms = grc_mono_ms() + PROBE_MS;
    batch->count = 0;
}

/* Adds the question of an entry, if it has one; its part is locked. */
static void collect(struct grc_shared *shared, struct batch *batch, struct grc_shared_entry *entry)
{
    if (!shared->redis)
        leave_open(entry);
    else if (question_of(entry, grc_mono_us(), &batch->questions[batch->count]))
        batch->count++;
}

static struct grc_shared_entry *take_questions(struct grc_shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    struct grc_shared_entry *list = shared->questions;
    shared->questions = NULL;
    pthread_mutex_unlock(&shared->lock);
    return list;
}

static void ask_for_requests(struct grc_shared *shared, struct batch *batch)
{
    struct grc_shared_entry *entry = take_questions(shared);

    while (entry) {
        pthread_mutex_t *mutex = grc_shared_mutex(shared, entry->key);

        pthread_mutex_lock(mutex);
        struct grc_shared_entry *next = entry->next_question;
        entry->queued = false;
        if (entry->is_hold && !entry->active) {
            entry->active = true;
            entry->next_active = shared->active;
            shared->active = entry;
        }
        collect(shared, batch, entry);
        pthread_mutex_unlock(mutex);
        if (batch->count == BATCH)
            flush(shared, batch);
        entry = next;
    }
    flush(shared, batch);
}

/* Renews the shares in use, gives back what is not needed, and forgets holds that have ended. */
static void look_at_holds(struct grc_shared *shared, struct batch *batch)
{
    struct grc_shared_entry **at = &shared->active;

    while (*at) {
        struct grc_shared_entry *entry = *at;
        pthread_mutex_t *mutex = grc_shared_mutex(shared, entry->key);

        pthread_mutex_lock(mutex);
        if (!shared->redis)
            grc_hold_forget(&entry->hold);
        else
            collect(shared, batch, entry);
        if (grc_hold_idle(&entry->hold)) {
            *at = entry->next_active;
            entry->active = false;
        } else {
            at = &entry->next_active;
        }
        pthread_mutex_unlock(mutex);
        if (batch->count == BATCH)
            flush(shared, batch);
    }
    flush(shared, batch);
}

/* --- the thread --- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Waits for questions, for the next look at the holds, or for the next attempt to connect. */
static void rest(struct grc_shared *shared)
{
    int64_t until_ms = shared->redis ? shared->next_probe_ms : shared->next_try_ms;
    bool in_time = true;

    if (shared->active)
        until_ms = earlier(until_ms, grc_mono_ms() + TICK_MS);
    pthread_mutex_lock(&shared->lock);
    while (in_time && !shared->questions && !shared->stopping)
        in_time = grc_cond_wait_until(&shared->changed, &shared->lock, until_ms);
    pthread_mutex_unlock(&shared->lock);
}

/* The others need not wait until the shares of this gateway expire. */
static void give_back(struct grc_shared *shared, struct batch *batch)
{
    for (struct grc_shared_entry *entry = shared->active; shared->redis && entry;
         entry = entry->next_active) {
        batch->questions[batch->count] =
            (struct question){.entry = entry, .is_hold = true, .max = entry->max};
        memcpy(batch->questions[batch->count++].digest, entry->digest, sizeof(entry->digest));
        if (batch->count == BATCH)
            flush(shared, batch);
    }
    flush(shared, batch);
}

void *grc_shared_keep(void *arg)
{
    struct grc_shared *shared = arg;
    struct batch batch = {.count = 0};
    char reason[GRC_REDIS_REASON];

    while (!stopping(shared)) {
        int64_t now_ms = grc_mono_ms();

        if (!shared->redis && now_ms >= shared->next_try_ms)
            connect_again(shared);
        else if (shared->redis && now_ms >= shared->next_probe_ms && !probe(shared, reason))
            drop(shared, reason);
        if (shared->redis && atomic_load(&shared->late))
            drop(shared, "its answers take longer than limits.shared.timeout");
        ask_for_requests(shared, &batch);
        look_at_holds(shared, &batch);
        rest(shared);
    }
    give_back(shared, &batch);
    grc_redis_close(shared->redis);
    return NULL;
}
