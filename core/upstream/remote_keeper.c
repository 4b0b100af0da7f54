/* The thread that asks the server of the shared cache. */
#include "upstream/remote_scripts.h"
#include "upstream/remote_state.h"

#include "base/clock.h"
#include "base/secure.h"

#include <stdio.h>
#include <stdlib.h>

/* Jobs that are sent before their answers are read, and the bytes after which no more are added. */
#define BATCH 32u
#define BATCH_BYTES ((size_t)1024 * 1024)
/* Room for a batch, the largest answer, and the other words of their commands. */
#define QUEUE_MAX ((size_t)8 * 1024 * 1024)
/* One answer, whose size the config limits. */
#define REPLY_MAX ((size_t)5 * 1024 * 1024)
/* Writes that are sent before the answers to them are read. */
#define WRITES 64u

#define KEY_BYTES 64u
#define NUMBER_BYTES 24u

/* Places for the words of one command. */
struct words {
    char answer[KEY_BYTES];
    char path[KEY_BYTES];
    char lease[KEY_BYTES];
    char numbers[3][NUMBER_BYTES];
    char holder[48];
};

static gr_str number(char text[NUMBER_BYTES], int64_t value)
{
    int len = snprintf(text, NUMBER_BYTES, "%lld", (long long)value);

    return (gr_str){text, (size_t)len};
}

static gr_str path_key(char text[KEY_BYTES], uint32_t path)
{
    int len = snprintf(text, KEY_BYTES, "greenroom:path:%u", (unsigned)path);

    return (gr_str){text, (size_t)len};
}

/* Half of the digest names the key; a value is encrypted for all of it. */
static gr_str digest_key(char text[KEY_BYTES], const char *kind, const struct grc_remote_name *name)
{
    char hex[GRC_REMOTE_DIGEST + 1];

    grc_hex(name->digest, GRC_REMOTE_DIGEST / 2, hex);
    int len = snprintf(text, KEY_BYTES, "greenroom:%s:%s", kind, hex);
    return (gr_str){text, (size_t)len};
}

static gr_str holder_of(const struct grc_remote *remote, uint64_t lease, char text[48])
{
    int len = lease ? snprintf(text, 48, "%s.%llu", remote->self, (unsigned long long)lease) : 0;

    return (gr_str){text, (size_t)len};
}

/* --- sending; false without memory --- */

static bool send_look(struct grc_remote *remote, const struct grc_remote_job *job)
{
    struct words texts;
    char generation[NUMBER_BYTES];
    const gr_str words[] = {
        digest_key(texts.answer, "answer", &job->name),
        path_key(texts.path, job->name.path),
        digest_key(texts.lease, "lease", &job->name),
        number(texts.numbers[0], grc_remote_generation()),
        number(texts.numbers[1], GRC_REMOTE_GENERATION_MS),
        job->generation ? number(generation, job->generation) : GR_STR(""),
        holder_of(remote, job->lease, texts.holder),
        number(texts.numbers[2], remote->settings->lease_ms),
        job->late ? GR_STR("1") : GR_STR("0"),
    };

    return grc_redis_link_call(&remote->link, &remote->look, words, 3, 9);
}

static bool send_keep(struct grc_remote *remote, const struct grc_remote_job *job)
{
    struct words texts;
    char kept[NUMBER_BYTES];
    const gr_str words[] = {
        digest_key(texts.answer, "answer", &job->name), path_key(texts.path, job->name.path),
        digest_key(texts.lease, "lease", &job->name),   number(texts.numbers[0], job->generation),
        number(texts.numbers[1], job->life_ms),         number(texts.numbers[2], job->stale_ms),
        {(const char *)job->value, job->value_len},     number(kept, GRC_REMOTE_GENERATION_MS),
        holder_of(remote, job->lease, texts.holder),
    };

    return grc_redis_link_call(&remote->link, &remote->keep, words, 3, 9);
}

static bool send_end(struct grc_remote *remote, const struct grc_remote_job *job)
{
    struct words texts;
    const gr_str words[] = {
        digest_key(texts.lease, "lease", &job->name),
        number(texts.numbers[0], job->generation),
        holder_of(remote, job->lease, texts.holder),
        number(texts.numbers[1], job->life_ms),
    };

    return grc_redis_link_call(&remote->link, &remote->end, words, 1, 4);
}

static bool send_wrote(struct grc_remote *remote, uint32_t path, int64_t generation)
{
    struct words texts;
    const gr_str words[] = {
        path_key(texts.path, path),
        number(texts.numbers[0], generation),
        number(texts.numbers[1], GRC_REMOTE_GENERATION_MS),
    };

    grc_remote_count(GRC_REMOTE_QUESTION);
    return grc_redis_link_call(&remote->link, &remote->wrote, words, 1, 3);
}

static bool send(struct grc_remote *remote, const struct grc_remote_job *job)
{
    grc_remote_count(GRC_REMOTE_QUESTION);
    switch (job->kind) {
    case GRC_REMOTE_LOOKS:
        return send_look(remote, job);
    case GRC_REMOTE_KEEPS:
        return send_keep(remote, job);
    case GRC_REMOTE_ENDS:
    default:
        return send_end(remote, job);
    }
}

/* Reads the answer to a call without a value: one number. Returns what grc_redis_link_answered()
 * does; *ret_known tells whether the server has run the script. */
static bool read_number(struct grc_remote *remote, struct grc_redis_called *called, bool *ret_known,
                        char reason[GRC_REDIS_REASON])
{
    int64_t value;
    enum grc_redis_answer answer = grc_redis_answer(remote->link.redis, &value, 1, reason);

    *ret_known = answer == GRC_REDIS_ANSWERED;
    return grc_redis_link_answered(called, answer);
}

/* --- writes --- */

/* Takes the paths that the server is to be told of. Returns false when there are none. */
static bool take_paths(struct grc_remote *remote, uint64_t *ret_writes)
{
    pthread_mutex_lock(&remote->link.lock);
    bool pending = remote->pending;
    if (pending) {
        uint64_t *paths = remote->paths;

        remote->paths = remote->telling;
        remote->telling = paths;
        remote->pending = false;
    }
    *ret_writes = remote->writes;
    pthread_mutex_unlock(&remote->link.lock);
    return pending;
}

/* Notes the paths again of which the server could not be told. */
static void put_back(struct grc_remote *remote)
{
    pthread_mutex_lock(&remote->link.lock);
    for (size_t i = 0; i < GRC_REMOTE_PATHS / 64; i++) {
        remote->paths[i] |= remote->telling[i];
        remote->telling[i] = 0;
    }
    remote->pending = true;
    pthread_mutex_unlock(&remote->link.lock);
}

/* Sends up to WRITES of the paths from *at on, and reads the answers. */
static bool tell_some(struct grc_remote *remote, uint32_t *at, char reason[GRC_REDIS_REASON])
{
    bool fine = true;
    bool known = true;
    size_t sent = 0;

    for (; fine && *at < GRC_REMOTE_PATHS && sent < WRITES; (*at)++) {
        if (remote->telling[*at / 64] >> *at % 64 & 1) {
            fine = send_wrote(remote, *at, grc_remote_generation());
            sent++;
        }
    }
    for (; fine && sent > 0; sent--) {
        bool one = false;

        fine = read_number(remote, &remote->wrote, &one, reason);
        known = known && one;
    }
    if (fine && !known)
        snprintf(reason, GRC_REDIS_REASON, "it forgets scripts at once");
    return fine && known;
}

/* Tells the server of all writes. Returns false when the connection is to be dropped. */
static bool tell_writes(struct grc_remote *remote, char reason[GRC_REDIS_REASON])
{
    uint64_t writes;

    if (!take_paths(remote, &writes))
        return true;
    /* Sent whole: a script that the server has forgotten must not cost a write. */
    remote->wrote.whole = true;
    for (uint32_t at = 0; at < GRC_REMOTE_PATHS;) {
        if (!tell_some(remote, &at, reason)) {
            put_back(remote);
            return false;
        }
    }
    memset(remote->telling, 0, GRC_REMOTE_PATHS / 8);
    pthread_mutex_lock(&remote->link.lock);
    remote->told_writes = writes;
    grc_queue_wake_all(&remote->writers);
    pthread_mutex_unlock(&remote->link.lock);
    return true;
}

/* --- jobs --- */

static struct grc_remote_job *take_jobs(struct grc_remote *remote)
{
    pthread_mutex_lock(&remote->link.lock);
    struct grc_remote_job *list = remote->first;
    remote->first = NULL;
    remote->last = NULL;
    remote->jobs = 0;
    remote->job_bytes = 0;
    pthread_mutex_unlock(&remote->link.lock);
    return list;
}

/* Wakes the request that waits for a job, or frees the job. */
static void finish(struct grc_remote *remote, struct grc_remote_job *job, bool answered)
{
    pthread_mutex_lock(&remote->link.lock);
    bool waited_for = job->kind == GRC_REMOTE_LOOKS && !job->given_up;
    if (waited_for) {
        job->answered = answered;
        job->done = true;
        grc_queue_wake_all(&job->over);
    }
    pthread_mutex_unlock(&remote->link.lock);
    if (!waited_for)
        grc_remote_job_free(job);
}

/* Reads the answer to a job. Returns false when the connection is to be dropped. */
static bool settle(struct grc_remote *remote, struct grc_remote_job *job,
                   char reason[GRC_REDIS_REASON])
{
    bool known = false;
    bool fine;

    if (job->kind == GRC_REMOTE_LOOKS) {
        enum grc_redis_answer answer =
            grc_redis_answer_value(remote->link.redis, job->numbers, 3, &job->found, reason);

        known = answer == GRC_REDIS_ANSWERED;
        fine = grc_redis_link_answered(&remote->look, answer);
    } else {
        fine = read_number(remote, job->kind == GRC_REMOTE_KEEPS ? &remote->keep : &remote->end,
                           &known, reason);
    }
    if (fine)
        finish(remote, job, known);
    return fine;
}

/* Sends the first jobs of the list and reads the answers. Returns the rest of the list. */
static struct grc_remote_job *run_batch(struct grc_remote *remote, struct grc_remote_job *list)
{
    char reason[GRC_REDIS_REASON] = "out of memory";
    struct grc_remote_job *rest = list;
    bool fine = true;
    size_t count = 0;

    for (size_t bytes = 0; fine && rest && count < BATCH && bytes < BATCH_BYTES; count++) {
        fine = send(remote, rest);
        bytes += rest->value_len;
        rest = rest->next;
    }
    while (fine && count > 0) {
        struct grc_remote_job *next = list->next;

        fine = settle(remote, list, reason);
        count -= fine ? 1 : 0;
        list = fine ? next : list;
    }
    if (fine)
        grc_redis_link_used(&remote->link);
    else
        grc_redis_link_drop(&remote->link, reason);
    return fine ? rest : list;
}

static void work(void *arg)
{
    struct grc_remote *remote = arg;
    char reason[GRC_REDIS_REASON] = "out of memory";
    struct grc_remote_job *list = take_jobs(remote);

    /* Writes first: a question that came after one must not find what was before it. */
    if (remote->link.redis && !tell_writes(remote, reason))
        grc_redis_link_drop(&remote->link, reason);
    while (list && remote->link.redis)
        list = run_batch(remote, list);
    while (list) {
        struct grc_remote_job *next = list->next;

        finish(remote, list, false);
        list = next;
    }
    if (remote->link.redis)
        return;
    pthread_mutex_lock(&remote->link.lock);
    grc_queue_wake_all(&remote->writers);
    pthread_mutex_unlock(&remote->link.lock);
}

/* --- the link --- */

/* Runs the scripts on keys of their own, and tells of writes that the server does not know yet. */
static bool probe(void *arg, bool is_new, char reason[GRC_REDIS_REASON])
{
    struct grc_remote *remote = arg;
    struct grc_remote_job job = {.name = {.path = GRC_REMOTE_PATHS},
                                 .generation = 1,
                                 .life_ms = 1000,
                                 .stale_ms = 0,
                                 .late = true};
    int64_t numbers[3];
    bool known;

    remote->look.whole = remote->look.whole || is_new;
    remote->keep.whole = remote->keep.whole || is_new;
    remote->end.whole = remote->end.whole || is_new;
    if (!tell_writes(remote, reason))
        return false;
    grc_buf_init(&job.found, KEY_BYTES);
    bool fine =
        send_wrote(remote, job.name.path, job.generation) && send_keep(remote, &job) &&
        send_end(remote, &job) && send_look(remote, &job) &&
        read_number(remote, &remote->wrote, &known, reason) &&
        read_number(remote, &remote->keep, &known, reason) &&
        read_number(remote, &remote->end, &known, reason) &&
        grc_redis_link_answered(&remote->look, grc_redis_answer_value(remote->link.redis, numbers,
                                                                      3, &job.found, reason));
    grc_buf_done(&job.found);
    return fine;
}

static void failed(void *arg)
{
    (void)arg;
    grc_remote_count(GRC_REMOTE_FAILURE);
}

const struct grc_redis_use grc_remote_use = {
    .lost = "the server of the shared cache cannot be used",
    .reached = "the server of the shared cache is reached: gateways share answers",
    .late = "its answers take longer than cache.shared.timeout",
    .sizes = {.queue_max = QUEUE_MAX, .reply_max = REPLY_MAX},
    .probe = probe,
    .failed = failed,
    .work = work,
    .end = work,
};
