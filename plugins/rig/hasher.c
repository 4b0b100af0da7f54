/*
 * The threads that hash passwords for handlers. They run under SCHED_IDLE: whoever else wants a
 * processor gets it at once, so logins at full tilt cost the other routes next to nothing. On a
 * machine that is busy with something else they would hardly ever run, though; so where they finish
 * nothing for a while, one more thread of ordinary scheduling, the backstop, does the job that
 * waits longest, from its beginning if one of the others is at it.
 */
#include "rig.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define BACKSTOP_NICENESS 5

/* One password. Its holders are the handler that waits and the threads that are at it; the last one
 * frees it. */
struct job {
    struct job *next; /* in the list of jobs without a result, oldest first */
    unsigned holders;
    bool taken; /* by a thread other than the backstop */
    bool done;
    bool ok;
    int64_t since_ms;
    pthread_cond_t ready;
    bool verifies;
    char hash[RIG_HASH_SIZE]; /* to verify, or made */
    size_t len;
    char password[];
};

struct rig_hasher {
    const struct gr_host *host;
    int64_t cost;
    int64_t waiting_max;
    int64_t patience_ms; /* without a result before the backstop sets to work */
    size_t thread_count;
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t work;
    pthread_cond_t watch; /* the backstop's */
    struct job *first;
    int64_t waiting;
    int64_t progress_ms; /* when a thread other than the backstop last finished */
    bool stop;
    size_t started;
    bool backstopped; /* the backstop runs */
    pthread_t threads[THREADS_MAX];
    pthread_t backstop;
    char dummy[RIG_HASH_SIZE];
};

static int64_t mono_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- making one --- */

static bool init_locks(struct rig_hasher *hasher)
{
    if (pthread_mutex_init(&hasher->lock, NULL) != 0)
        return false;
    if (pthread_cond_init(&hasher->work, NULL) == 0) {
        if (pthread_cond_init(&hasher->watch, NULL) == 0)
            return true;
        pthread_cond_destroy(&hasher->work);
    }
    pthread_mutex_destroy(&hasher->lock);
    return false;
}

struct rig_hasher *rig_hasher_new(const struct gr_host *host,
                                  const struct rig_hasher_settings *settings)
{
    struct rig_hasher *hasher = calloc(1, sizeof(*hasher));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t threads = settings->threads;

    if (!hasher)
        return NULL;
    /* By default one core is left for everything else. */
    if (threads <= 0)
        threads = cores > 1 ? cores - 1 : 1;
    hasher->thread_count = (size_t)(threads < THREADS_MAX ? threads : THREADS_MAX);
    hasher->host = host;
    hasher->waiting_max = settings->queue_max;
    hasher->cost = settings->cost;
    hasher->patience_ms = settings->patience_ms;
    if (init_locks(hasher))
        return hasher;
    free(hasher);
    return NULL;
}

void rig_hasher_free(struct rig_hasher *hasher)
{
    if (!hasher)
        return;
    pthread_cond_destroy(&hasher->watch);
    pthread_cond_destroy(&hasher->work);
    pthread_mutex_destroy(&hasher->lock);
    free(hasher);
}

/* --- jobs; the lock is held --- */

static void unhold(struct job *job)
{
    if (--job->holders > 0)
        return;
    pthread_cond_destroy(&job->ready);
    explicit_bzero(job, sizeof(*job) + job->len);
    free(job);
}

static void take_out(struct rig_hasher *hasher, const struct job *job)
{
    struct job **at = &hasher->first;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    hasher->waiting--;
}

static void put_in(struct rig_hasher *hasher, struct job *job)
{
    struct job **at = &hasher->first;

    while (*at)
        at = &(*at)->next;
    *at = job;
    hasher->waiting++;
    pthread_cond_signal(&hasher->work);
    if (hasher->first == job)
        pthread_cond_signal(&hasher->watch);
}

static struct job *first_untaken(const struct rig_hasher *hasher)
{
    struct job *job = hasher->first;

    while (job && job->taken)
        job = job->next;
    return job;
}

/* Works without the lock. What another thread has found out meanwhile stands. */
static void do_job(struct rig_hasher *hasher, struct job *job)
{
    char hash[RIG_HASH_SIZE];
    gr_str password = {job->password, job->len};
    bool ok;

    job->holders++;
    if (job->verifies)
        memcpy(hash, job->hash, sizeof(hash));
    pthread_mutex_unlock(&hasher->lock);
    if (job->verifies)
        ok = rig_hash_verify(hasher->host, password, hash);
    else
        ok = rig_hash_make(hasher->host, password, hasher->cost, hash);
    pthread_mutex_lock(&hasher->lock);
    if (!job->done) {
        if (!job->verifies && ok)
            memcpy(job->hash, hash, sizeof(hash));
        job->ok = ok;
        job->done = true;
        take_out(hasher, job);
        pthread_cond_signal(&job->ready);
        if (hasher->stop)
            pthread_cond_signal(&hasher->watch); /* it may have been the last */
    }
    unhold(job);
}

/* --- threads --- */

static void *hash_when_idle(void *arg)
{
    struct rig_hasher *hasher = arg;
    const struct sched_param none = {.sched_priority = 0};

    /* Without it logins are only less polite. */
    (void)sched_setscheduler(0, SCHED_IDLE, &none);
    pthread_mutex_lock(&hasher->lock);
    for (;;) {
        struct job *job = first_untaken(hasher);

        if (job) {
            job->taken = true;
            do_job(hasher, job);
            hasher->progress_ms = mono_ms();
        } else if (hasher->stop) {
            break;
        } else {
            pthread_cond_wait(&hasher->work, &hasher->lock);
        }
    }
    pthread_mutex_unlock(&hasher->lock);
    return NULL;
}

static void wait_until(struct rig_hasher *hasher, int64_t due_ms)
{
    struct timespec due = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};

    (void)pthread_cond_clockwait(&hasher->watch, &hasher->lock, CLOCK_MONOTONIC, &due);
}

static void *hash_what_starves(void *arg)
{
    struct rig_hasher *hasher = arg;

    /* On Linux this is the priority of the thread. */
    (void)setpriority(PRIO_PROCESS, 0, BACKSTOP_NICENESS);
    pthread_mutex_lock(&hasher->lock);
    while (hasher->first || !hasher->stop) {
        struct job *job = hasher->first;

        if (!job) {
            pthread_cond_wait(&hasher->watch, &hasher->lock);
            continue;
        }
        int64_t due_ms =
            hasher->patience_ms +
            (job->since_ms > hasher->progress_ms ? job->since_ms : hasher->progress_ms);
        if (mono_ms() >= due_ms)
            do_job(hasher, job);
        else
            wait_until(hasher, due_ms);
    }
    pthread_mutex_unlock(&hasher->lock);
    return NULL;
}

bool rig_hasher_start(struct rig_hasher *hasher)
{
    /* What unknown users are verified against; nobody knows its password. */
    char random[33];

    if (getrandom(random, 32, 0) != 32)
        return false;
    if (!rig_hash_make(hasher->host, (gr_str){random, 32}, hasher->cost, hasher->dummy)) {
        /* A NUL among the random bytes only shortens the phrase; failure is something else. */
        return false;
    }
    hasher->stop = false;
    hasher->backstopped = pthread_create(&hasher->backstop, NULL, hash_what_starves, hasher) == 0;
    for (; hasher->backstopped && hasher->started < hasher->thread_count; hasher->started++) {
        if (pthread_create(&hasher->threads[hasher->started], NULL, hash_when_idle, hasher) != 0)
            break;
    }
    if (hasher->started == hasher->thread_count)
        return true;
    rig_hasher_stop(hasher);
    return false;
}

void rig_hasher_stop(struct rig_hasher *hasher)
{
    pthread_mutex_lock(&hasher->lock);
    hasher->stop = true;
    pthread_cond_broadcast(&hasher->work);
    pthread_cond_broadcast(&hasher->watch);
    pthread_mutex_unlock(&hasher->lock);
    while (hasher->started)
        pthread_join(hasher->threads[--hasher->started], NULL);
    if (hasher->backstopped)
        pthread_join(hasher->backstop, NULL);
    hasher->backstopped = false;
}

/* --- for handlers --- */

/* hash: to verify; NULL: to make one. */
static struct job *new_job(gr_str password, const char *hash)
{
    struct job *job = calloc(1, sizeof(*job) + password.len);

    if (!job)
        return NULL;
    if (pthread_cond_init(&job->ready, NULL) != 0) {
        free(job);
        return NULL;
    }
    job->holders = 1;
    job->since_ms = mono_ms();
    job->verifies = hash != NULL;
    if (hash)
        (void)snprintf(job->hash, sizeof(job->hash), "%s", hash);
    job->len = password.len;
    if (password.len)
        memcpy(job->password, password.ptr, password.len);
    return job;
}

/* ret_hash: where one that is made goes. */
static enum gr_err submit(struct rig_hasher *hasher, gr_str password, const char *hash,
                          bool *ret_ok, char *ret_hash)
{
    struct job *job = new_job(password, hash);

    if (!job)
        return GR_ERR_NO_MEMORY;
    pthread_mutex_lock(&hasher->lock);
    bool room = hasher->waiting < hasher->waiting_max + (int64_t)hasher->thread_count &&
                hasher->started && !hasher->stop;
    if (room) {
        put_in(hasher, job);
        while (!job->done)
            pthread_cond_wait(&job->ready, &hasher->lock);
        *ret_ok = job->ok;
        if (ret_hash && job->ok)
            memcpy(ret_hash, job->hash, sizeof(job->hash));
    }
    unhold(job);
    pthread_mutex_unlock(&hasher->lock);
    return room ? GR_OK : GR_ERR_OVERLOAD;
}

enum gr_err rig_hasher_make(struct rig_hasher *hasher, gr_str password,
                            char ret_hash[RIG_HASH_SIZE])
{
    bool ok = false;
    enum gr_err err = submit(hasher, password, NULL, &ok, ret_hash);

    if (err != GR_OK)
        return err;
    return ok ? GR_OK : GR_ERR_INTERNAL;
}

enum gr_err rig_hasher_verify(struct rig_hasher *hasher, gr_str password, const char *hash,
                              bool *ret_right)
{
    bool ok = false;

    /* We never wrote $2b$ for such a password: only its first 72 bytes would be compared. The
     * original did, as $2a$; the first login renews that one. */
    if (hash && password.len > RIG_BCRYPT_MAX_BYTES && strncmp(hash, "$2b$", 4) == 0)
        hash = NULL;
    if (password.len > RIG_PASSWORD_MAX_BYTES) {
        password.len = RIG_PASSWORD_MAX_BYTES;
        hash = NULL;
    }
    enum gr_err err = submit(hasher, password, hash ? hash : hasher->dummy, &ok, NULL);
    if (err == GR_OK)
        *ret_right = ok && hash;
    return err;
}
