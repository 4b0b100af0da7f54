/*
 * The threads that hash passwords for handlers. They are few and have a low priority, so that many
 * logins do not slow down the other routes. The number of waiting passwords is limited, so that a
 * flood of logins is refused instead of queued.
 */
#include "rig.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 64

/* One password. The handler owns it and waits until it is done. */
struct job {
    struct job *next;
    gr_str password;
    const char *verify; /* hash to verify; NULL: make a new hash */
    char hash[RIG_HASH_SIZE];
    bool ok;
    bool done;
    pthread_cond_t ready;
};

struct rig_hasher {
    const struct gr_host *host;
    int64_t cost;
    int64_t jobs_max; /* limit of running and waiting jobs */
    size_t thread_count;
    pthread_mutex_t lock; /* protects the members below */
    pthread_cond_t work;
    struct job *first; /* waiting jobs */
    struct job **end;
    int64_t jobs;
    bool stop;
    size_t started;
    pthread_t threads[THREADS_MAX];
};

struct rig_hasher *rig_hasher_new(const struct gr_host *host,
                                  const struct rig_hasher_settings *settings)
{
    struct rig_hasher *hasher = calloc(1, sizeof(*hasher));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t threads = settings->threads;

    if (!hasher)
        return NULL;
    /* The default leaves one core for other work. */
    if (threads <= 0)
        threads = cores > 1 ? cores - 1 : 1;
    hasher->thread_count = (size_t)(threads < THREADS_MAX ? threads : THREADS_MAX);
    hasher->host = host;
    hasher->jobs_max = settings->queue_max + (int64_t)hasher->thread_count;
    hasher->cost = settings->cost;
    hasher->end = &hasher->first;
    if (pthread_mutex_init(&hasher->lock, NULL) != 0) {
        free(hasher);
        return NULL;
    }
    if (pthread_cond_init(&hasher->work, NULL) != 0) {
        pthread_mutex_destroy(&hasher->lock);
        free(hasher);
        return NULL;
    }
    return hasher;
}

void rig_hasher_free(struct rig_hasher *hasher)
{
    if (!hasher)
        return;
    pthread_cond_destroy(&hasher->work);
    pthread_mutex_destroy(&hasher->lock);
    free(hasher);
}

/* --- threads --- */

static void do_job(const struct rig_hasher *hasher, struct job *job)
{
    if (job->verify)
        job->ok = rig_hash_verify(hasher->host, job->password, job->verify);
    else
        job->ok = rig_hash_make(hasher->host, job->password, hasher->cost, job->hash);
}

static void *run(void *arg)
{
    struct rig_hasher *hasher = arg;

    /* On Linux this lowers the priority of this thread only. When it fails, logins take more CPU
     * time from other requests. */
    (void)!nice(RIG_HASHER_NICENESS);
    pthread_mutex_lock(&hasher->lock);
    for (;;) {
        struct job *job = hasher->first;

        if (job) {
            hasher->first = job->next;
            if (!hasher->first)
                hasher->end = &hasher->first;
            pthread_mutex_unlock(&hasher->lock);
            do_job(hasher, job);
            pthread_mutex_lock(&hasher->lock);
            hasher->jobs--;
            job->done = true;
            pthread_cond_signal(&job->ready);
        } else if (hasher->stop) {
            break;
        } else {
            pthread_cond_wait(&hasher->work, &hasher->lock);
        }
    }
    pthread_mutex_unlock(&hasher->lock);
    return NULL;
}

bool rig_hasher_start(struct rig_hasher *hasher)
{
    hasher->stop = false;
    for (; hasher->started < hasher->thread_count; hasher->started++) {
        if (pthread_create(&hasher->threads[hasher->started], NULL, run, hasher) != 0)
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
    pthread_mutex_unlock(&hasher->lock);
    while (hasher->started)
        pthread_join(hasher->threads[--hasher->started], NULL);
}

/* --- for handlers --- */

/* Queues the job and waits until a thread has done it. Other requests go on meanwhile: the worker
 * that waits gives its turn away. */
static enum gr_err submit(struct rig_hasher *hasher, struct job *job)
{
    if (pthread_cond_init(&job->ready, NULL) != 0)
        return GR_ERR_NO_MEMORY;
    hasher->host->blocking(true);
    pthread_mutex_lock(&hasher->lock);
    bool room = hasher->jobs < hasher->jobs_max && hasher->started && !hasher->stop;
    if (room) {
        hasher->jobs++;
        *hasher->end = job;
        hasher->end = &job->next;
        pthread_cond_signal(&hasher->work);
        while (!job->done)
            pthread_cond_wait(&job->ready, &hasher->lock);
    }
    pthread_mutex_unlock(&hasher->lock);
    hasher->host->blocking(false);
    pthread_cond_destroy(&job->ready);
    return room ? GR_OK : GR_ERR_OVERLOAD;
}

enum gr_err rig_hasher_make(struct rig_hasher *hasher, gr_str password,
                            char ret_hash[RIG_HASH_SIZE])
{
    struct job job = {.password = password};
    enum gr_err err = submit(hasher, &job);

    if (err == GR_OK && !job.ok)
        err = GR_ERR_INTERNAL;
    if (err == GR_OK)
        (void)snprintf(ret_hash, RIG_HASH_SIZE, "%s", job.hash);
    return err;
}

enum gr_err rig_hasher_verify(struct rig_hasher *hasher, gr_str password, const char *hash,
                              bool *ret_right)
{
    /* For a password this long rig never writes $2b$, which would compare only 72 bytes. The
     * original rig wrote $2a$ for it; such a hash is renewed at the next login. */
    if (hash && password.len > RIG_BCRYPT_MAX_BYTES && strncmp(hash, "$2b$", 4) == 0)
        hash = NULL;
    if (password.len > RIG_PASSWORD_MAX_BYTES) {
        password.len = RIG_PASSWORD_MAX_BYTES;
        hash = NULL;
    }
    /* Without a hash to verify the job makes a new one, which takes the same time. */
    struct job job = {.password = password, .verify = hash};
    enum gr_err err = submit(hasher, &job);
    if (err == GR_OK)
        *ret_right = job.ok && hash;
    return err;
}
