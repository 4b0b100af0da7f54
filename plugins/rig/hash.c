/*
 * Passwords: bcrypt ($2b$), and yescrypt ($y$) for those that bcrypt would cut at 72 bytes. Hashing
 * takes a third of a second on purpose, so a few threads of low priority do it, with a short queue
 * before them: logins cannot starve the rest of the gateway.
 */
#include "rig.h"

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BCRYPT_MAX_BYTES 72
#define THREADS_MAX 64
#define NICENESS 15

_Static_assert(RIG_HASH_SIZE == CRYPT_OUTPUT_SIZE, "size of a hash");

/* ------------------------------------------------------------------------------------------ */
/* One hash                                                                                   */

static void wipe(void *bytes, size_t count)
{
    explicit_bzero(bytes, count);
}

/*
 * The password as crypt_r() takes it: NUL-terminated, and one byte shorter than the longest that we
 * allow. That longest one is stood in for by its digest, so that every byte counts.
 */
static void phrase_of(const struct gr_host *host, gr_str password, char *ret_phrase)
{
    unsigned char digest[32];

    if (password.len < CRYPT_MAX_PASSPHRASE_SIZE) {
        if (password.len)
            memcpy(ret_phrase, password.ptr, password.len);
        ret_phrase[password.len] = '\0';
        return;
    }
    host->sha256(password, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        (void)snprintf(ret_phrase + 2 * i, 3, "%02x", digest[i]);
    wipe(digest, sizeof(digest));
}

/* 32 KiB of work memory. */
static bool crypt_into(const struct gr_host *host, gr_str password, const char *setting,
                       char ret_hash[RIG_HASH_SIZE])
{
    struct crypt_data *data = calloc(1, sizeof(*data));
    char *phrase = malloc(RIG_PASSWORD_MAX_BYTES + 1);
    bool ok = false;

    if (data && phrase && password.len <= RIG_PASSWORD_MAX_BYTES) {
        phrase_of(host, password, phrase);
        /* crypt_r() with NULL for failure instead of a text that looks like a hash. */
        const char *hash = crypt_rn(phrase, setting, data, (int)sizeof(*data));
        if (hash && strlen(hash) < RIG_HASH_SIZE) {
            (void)snprintf(ret_hash, RIG_HASH_SIZE, "%s", hash);
            ok = true;
        }
    }
    if (phrase)
        wipe(phrase, RIG_PASSWORD_MAX_BYTES + 1);
    if (data)
        wipe(data, sizeof(*data));
    free(phrase);
    free(data);
    return ok;
}

bool rig_hash_make(const struct gr_host *host, gr_str password, int64_t cost,
                   char ret_hash[RIG_HASH_SIZE])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    char salt[16];
    bool bcrypt = password.len <= BCRYPT_MAX_BYTES;

    if (getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
        return false;
    /* 0: yescrypt's own default. */
    if (!crypt_gensalt_rn(bcrypt ? "$2b$" : "$y$", bcrypt ? (unsigned long)cost : 0, salt,
                          (int)sizeof(salt), setting, (int)sizeof(setting)))
        return false;
    return crypt_into(host, password, setting, ret_hash);
}

/* Compares in a time that depends on the lengths alone. */
static bool same(const char *left, const char *right)
{
    size_t len = strlen(left);
    unsigned char difference = 0;

    if (len != strlen(right))
        return false;
    for (size_t i = 0; i < len; i++)
        difference |= (unsigned char)(left[i] ^ right[i]);
    return difference == 0;
}

bool rig_hash_verify(const struct gr_host *host, gr_str password, const char *hash)
{
    char again[RIG_HASH_SIZE];

    return crypt_into(host, password, hash, again) && same(hash, again);
}

bool rig_hash_stale(const char *hash, gr_str password, int64_t cost)
{
    if (password.len > BCRYPT_MAX_BYTES)
        return strncmp(hash, "$y$", 3) != 0;
    return strncmp(hash, "$2b$", 4) != 0 || strtol(hash + 4, NULL, 10) < cost;
}

/* ------------------------------------------------------------------------------------------ */
/* Threads                                                                                    */

/* On the stack of the thread that waits for it. */
struct job {
    struct job *next;
    gr_str password;
    const char *hash; /* to verify; NULL: to make one */
    char *ret_hash;
    bool done;
    bool ok;
    pthread_cond_t ready;
};

struct rig_hasher {
    const struct gr_host *host;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job *first;
    struct job *last;
    int64_t waiting;
    int64_t waiting_max;
    int64_t cost;
    size_t thread_count;
    size_t started;
    bool stop;
    pthread_t threads[THREADS_MAX];
    char dummy[RIG_HASH_SIZE];
};

struct rig_hasher *rig_hasher_new(const struct gr_host *host, int64_t threads, int64_t queue_max,
                                  int64_t cost)
{
    struct rig_hasher *hasher = calloc(1, sizeof(*hasher));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (!hasher)
        return NULL;
    /* By default one core is left for everything else. */
    if (threads <= 0)
        threads = cores > 1 ? cores - 1 : 1;
    hasher->thread_count = (size_t)(threads < THREADS_MAX ? threads : THREADS_MAX);
    hasher->host = host;
    hasher->waiting_max = queue_max;
    hasher->cost = cost;
    if (pthread_mutex_init(&hasher->lock, NULL) != 0) {
        free(hasher);
        return NULL;
    }
    if (pthread_cond_init(&hasher->work, NULL) == 0)
        return hasher;
    pthread_mutex_destroy(&hasher->lock);
    free(hasher);
    return NULL;
}

void rig_hasher_free(struct rig_hasher *hasher)
{
    if (!hasher)
        return;
    pthread_cond_destroy(&hasher->work);
    pthread_mutex_destroy(&hasher->lock);
    free(hasher);
}

static void do_job(struct rig_hasher *hasher, struct job *job)
{
    if (job->hash)
        job->ok = rig_hash_verify(hasher->host, job->password, job->hash);
    else
        job->ok = rig_hash_make(hasher->host, job->password, hasher->cost, job->ret_hash);
}

static void *hash_all(void *arg)
{
    struct rig_hasher *hasher = arg;

    /* On Linux this is the priority of the thread. Without it logins are only less polite. */
    (void)setpriority(PRIO_PROCESS, 0, NICENESS);
    pthread_mutex_lock(&hasher->lock);
    for (;;) {
        while (!hasher->first && !hasher->stop)
            pthread_cond_wait(&hasher->work, &hasher->lock);
        struct job *job = hasher->first;
        if (!job)
            break;
        hasher->first = job->next;
        if (!hasher->first)
            hasher->last = NULL;
        pthread_mutex_unlock(&hasher->lock);
        do_job(hasher, job);
        pthread_mutex_lock(&hasher->lock);
        hasher->waiting--;
        job->done = true;
        pthread_cond_signal(&job->ready);
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
    for (; hasher->started < hasher->thread_count; hasher->started++) {
        if (pthread_create(&hasher->threads[hasher->started], NULL, hash_all, hasher) != 0) {
            rig_hasher_stop(hasher);
            return false;
        }
    }
    return true;
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

static enum gr_err submit(struct rig_hasher *hasher, struct job *job)
{
    if (pthread_cond_init(&job->ready, NULL) != 0)
        return GR_ERR_NO_MEMORY;
    pthread_mutex_lock(&hasher->lock);
    bool room = hasher->waiting < hasher->waiting_max + (int64_t)hasher->thread_count &&
                hasher->started && !hasher->stop;
    if (room) {
        hasher->waiting++;
        if (hasher->last)
            hasher->last->next = job;
        else
            hasher->first = job;
        hasher->last = job;
        pthread_cond_signal(&hasher->work);
        while (!job->done)
            pthread_cond_wait(&job->ready, &hasher->lock);
    }
    pthread_mutex_unlock(&hasher->lock);
    pthread_cond_destroy(&job->ready);
    return room ? GR_OK : GR_ERR_OVERLOAD;
}

enum gr_err rig_hasher_make(struct rig_hasher *hasher, gr_str password,
                            char ret_hash[RIG_HASH_SIZE])
{
    struct job job = {.password = password, .ret_hash = ret_hash};

    enum gr_err err = submit(hasher, &job);
    if (err != GR_OK)
        return err;
    return job.ok ? GR_OK : GR_ERR_INTERNAL;
}

enum gr_err rig_hasher_verify(struct rig_hasher *hasher, gr_str password, const char *hash,
                              bool *ret_right)
{
    /* We never wrote $2b$ for such a password: only its first 72 bytes would be compared. The
     * original did, as $2a$; the first login renews that one. */
    if (hash && password.len > BCRYPT_MAX_BYTES && strncmp(hash, "$2b$", 4) == 0)
        hash = NULL;
    if (password.len > RIG_PASSWORD_MAX_BYTES) {
        password.len = RIG_PASSWORD_MAX_BYTES;
        hash = NULL;
    }
    struct job job = {.password = password, .hash = hash ? hash : hasher->dummy};
    enum gr_err err = submit(hasher, &job);
    if (err == GR_OK)
        *ret_right = job.ok && hash;
    return err;
}
