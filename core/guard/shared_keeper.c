/* The thread that asks the server of shared limits. */
#include "base/clock.h"
#include "base/secure.h"
#include "guard/shared_state.h"

#include <stdatomic.h>
#include <stdio.h>

/* The least time until the holds are looked at without a request that asks for it. */
#define TICK_US 5000
/* How long after a round questions are gathered, if no request waits for them. */
#define GATHER_MS 5
/* Questions that are sent before their answers are read, and bytes that have room for twice as many
 * of them. */
#define BATCH 128u
#define QUEUE_MAX 262144u
/* Of one reply. */
#define REPLY_MAX 65536u
/* What both scripts return. */
#define NUMBERS 2u

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

/* --- sending --- */

/* Queues one question; false without memory. */
static bool send_take(struct grc_shared *shared, const char *key, double per_s, int64_t burst,
                      int64_t wanted)
{
    char rate[40];
    char size[24];
    char number[24];

    snprintf(rate, sizeof(rate), "%.9f", per_s);
    snprintf(size, sizeof(size), "%lld", (long long)burst);
    snprintf(number, sizeof(number), "%lld", (long long)wanted);
    const gr_str words[] = {gr_str_of(key), gr_str_of(rate), gr_str_of(size), gr_str_of(number)};
    return grc_redis_link_call(&shared->link, &shared->take, words, 1, 4);
}

static bool send_hold(struct grc_shared *shared, const char *key, int64_t used, int64_t wanted,
                      int64_t max)
{
    char texts[3][24];
    char ttl[24];

    snprintf(texts[0], sizeof(texts[0]), "%lld", (long long)used);
    snprintf(texts[1], sizeof(texts[1]), "%lld", (long long)wanted);
    snprintf(texts[2], sizeof(texts[2]), "%lld", (long long)max);
    snprintf(ttl, sizeof(ttl), "%d", GRC_HOLD_TTL_MS);
    const gr_str words[] = {gr_str_of(key),      gr_str_of(shared->self), gr_str_of(texts[0]),
                            gr_str_of(texts[1]), gr_str_of(texts[2]),     gr_str_of(ttl)};
    return grc_redis_link_call(&shared->link, &shared->hold, words, 1, 6);
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
static bool probe_answer(struct grc_shared *shared, struct grc_redis_called *called,
                         char reason[GRC_REDIS_REASON])
{
    int64_t numbers[NUMBERS];

    return grc_redis_link_answered(called,
                                   grc_redis_answer(shared->link.redis, numbers, NUMBERS, reason));
}

/* Runs both scripts on keys of their own. */
static bool probe(void *arg, bool is_new, char reason[GRC_REDIS_REASON])
{
    struct grc_shared *shared = arg;

    shared->take.whole = shared->take.whole || is_new;
    shared->hold.whole = shared->hold.whole || is_new;
    return send_take(shared, "greenroom:rate:probe", 1000, 1000, 1) &&
           send_hold(shared, "greenroom:use:probe", 0, 1, 1000000) &&
           probe_answer(shared, &shared->take, reason) &&
           probe_answer(shared, &shared->hold, reason);
}

static void failed(void *arg)
{
    (void)arg;
    grc_shared_count(GRC_SHARED_FAILURE);
}

/* A server that comes back may not know the uses of this gateway. */
static void doubt_holds(void *arg)
{
    struct grc_shared *shared = arg;

    shared->look_us = 0;
    for (struct grc_shared_entry *entry = shared->active; entry; entry = entry->next_active) {
        pthread_mutex_t *mutex = grc_shared_mutex(shared, entry->key);

        pthread_mutex_lock(mutex);
        grc_hold_doubt(&entry->hold);
        pthread_mutex_unlock(mutex);
    }
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
                   const int64_t numbers[NUMBERS])
{
    int64_t now_us = grc_mono_us();

    if (!question->is_hold) {
        grc_lease_answer(&entry->lease, &entry->rate, numbers[0], (double)numbers[1] / 1000,
                         now_us);
        grc_queue_wake_all(&entry->queue);
        return;
    }
    grc_hold_answer(&entry->hold, numbers[0], numbers[1], question->max, now_us);
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

/* Makes sure that the holds are looked at as early as this one needs. */
static void plan_look(struct grc_shared *shared, const struct grc_shared_entry *entry)
{
    if (!entry->is_hold)
        return;
    int64_t next_us = grc_hold_next_us(&entry->hold);
    int64_t soon_us = grc_mono_us() + TICK_US;

    next_us = next_us > soon_us ? next_us : soon_us;
    if (next_us < shared->look_us)
        shared->look_us = next_us;
}

/* --- a round: questions are collected, sent, and answered --- */

/* Reads the answer to a question. Returns false when the connection is of no use any more. */
static bool settle(struct grc_shared *shared, const struct question *question,
                   char reason[GRC_REDIS_REASON])
{
    int64_t numbers[NUMBERS] = {0, 0};
    enum grc_redis_answer outcome = grc_redis_answer(shared->link.redis, numbers, NUMBERS, reason);
    pthread_mutex_t *mutex = grc_shared_mutex(shared, question->entry->key);

    if (!grc_redis_link_answered(question->is_hold ? &shared->hold : &shared->take, outcome))
        return false;
    pthread_mutex_lock(mutex);
    if (outcome == GRC_REDIS_ANSWERED)
        answer(question->entry, question, numbers);
    else
        leave_open(question->entry);
    plan_look(shared, question->entry);
    pthread_mutex_unlock(mutex);
    return true;
}

static void give_up(struct grc_shared *shared, const struct question *question)
{
    pthread_mutex_t *mutex = grc_shared_mutex(shared, question->entry->key);

    pthread_mutex_lock(mutex);
    leave_open(question->entry);
    plan_look(shared, question->entry);
    pthread_mutex_unlock(mutex);
}

/* Sends what was collected, and takes the answers. */
static void flush(struct grc_shared *shared, struct batch *batch)
{
    char reason[GRC_REDIS_REASON] = "out of memory";
    bool works = shared->link.redis != NULL;
    size_t settled = 0;

    for (size_t i = 0; works && i < batch->count; i++)
        works = send(shared, &batch->questions[i]);
    while (works && settled < batch->count) {
        works = settle(shared, &batch->questions[settled], reason);
        settled += works ? 1 : 0;
    }
    if (!works && shared->link.redis)
        grc_redis_link_drop(&shared->link, reason);
    for (; settled < batch->count; settled++)
        give_up(shared, &batch->questions[settled]);
    if (batch->count > 0)
        grc_redis_link_used(&shared->link);
    batch->count = 0;
}

/* Adds the question of an entry, if it has one; its part is locked. */
static void collect(struct grc_shared *shared, struct batch *batch, struct grc_shared_entry *entry)
{
    if (!shared->link.redis)
        leave_open(entry);
    else if (question_of(entry, grc_mono_us(), &batch->questions[batch->count]))
        batch->count++;
    plan_look(shared, entry);
}

static struct grc_shared_entry *take_questions(struct grc_shared *shared)
{
    pthread_mutex_lock(&shared->link.lock);
    struct grc_shared_entry *list = shared->questions;
    shared->questions = NULL;
    shared->gathers = list != NULL;
    shared->gather_ms = grc_mono_ms() + GATHER_MS;
    pthread_mutex_unlock(&shared->link.lock);
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
        entry->urgent = false;
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

    shared->look_us = INT64_MAX;
    while (*at) {
        struct grc_shared_entry *entry = *at;
        pthread_mutex_t *mutex = grc_shared_mutex(shared, entry->key);

        pthread_mutex_lock(mutex);
        if (!shared->link.redis)
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

static void work(void *arg)
{
    struct grc_shared *shared = arg;
    struct batch batch = {.count = 0};

    ask_for_requests(shared, &batch);
    if (!shared->link.redis || grc_mono_us() >= shared->look_us)
        look_at_holds(shared, &batch);
}

/* The next look at the holds, or at what was gathered. */
static int64_t next_ms(void *arg)
{
    const struct grc_shared *shared = arg;
    int64_t look_ms = shared->active ? shared->look_us / 1000 + 1 : GRC_REDIS_NEVER_MS;

    return shared->gathers && shared->gather_ms < look_ms ? shared->gather_ms : look_ms;
}

/* Gives the shares back, so that the other gateways need not wait until they expire. */
static void give_back(void *arg)
{
    struct grc_shared *shared = arg;
    struct batch batch = {.count = 0};

    for (struct grc_shared_entry *entry = shared->active; shared->link.redis && entry;
         entry = entry->next_active) {
        batch.questions[batch.count] =
            (struct question){.entry = entry, .is_hold = true, .max = entry->max};
        memcpy(batch.questions[batch.count++].digest, entry->digest, sizeof(entry->digest));
        if (batch.count == BATCH)
            flush(shared, &batch);
    }
    flush(shared, &batch);
}

const struct grc_redis_use grc_shared_use = {
    .lost = "the server of shared limits cannot be used",
    .reached = "the server of shared limits is reached: limits count over all gateways",
    .late = "its answers take longer than limits.shared.timeout",
    .sizes = {.queue_max = QUEUE_MAX, .reply_max = REPLY_MAX},
    .probe = probe,
    .connected = doubt_holds,
    .failed = failed,
    .work = work,
    .next_ms = next_ms,
    .end = give_back,
};
