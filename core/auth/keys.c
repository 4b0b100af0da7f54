/* Checks API keys in a running gateway. */
#include "auth/keys_store.h"
#include "auth/keys_use.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secure.h"
#include "base/ticker.h"
#include "loop/wait.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LOOK_EVERY_MS 500
/* How often the store is asked whether keys have changed, such as by a revocation elsewhere. */
#define POLL_EVERY_MS 250
/* A key that was revoked anywhere is refused everywhere within a second. A gateway that stood
 * still, or whose thread had to wait for the processor, may have looked longer ago: then a request
 * waits for the next look. */
#define FRESH_MS 750
#define LOOK_WAIT_MS 1000
#define STACK_BYTES ((size_t)256 * 1024)
#define NO_KEYS "{\"version\":1,\"keys\":[]}"
#define PREFIX_LEN (sizeof(GRC_KEY_PREFIX) - 1)

bool grc_key_looks_like(gr_str text)
{
    return text.len > PREFIX_LEN && memcmp(text.ptr, GRC_KEY_PREFIX, PREFIX_LEN) == 0;
}

/* Finds the id in "gr_ID_SECRET". */
static bool id_of(gr_str text, gr_str *ret_id)
{
    const size_t secret_len = grc_b64url_len(GRC_KEY_SECRET_BYTES);

    if (text.len != PREFIX_LEN + GRC_KEY_ID_LEN + 1 + secret_len || !grc_key_looks_like(text) ||
        text.ptr[PREFIX_LEN + GRC_KEY_ID_LEN] != '_')
        return false;
    *ret_id = (gr_str){text.ptr + PREFIX_LEN, GRC_KEY_ID_LEN};
    return true;
}

static enum grc_key_verdict judge(const struct grc_api_key *key, gr_str text, int64_t now_ms)
{
    static const unsigned char nothing[32];
    unsigned char digest[32];

    /* An unknown id takes the same work, so that the time does not disclose which ids exist. */
    grc_sha256(text, digest);
    gr_str shown = {(const char *)digest, sizeof(digest)};
    gr_str wanted = {(const char *)(key ? key->digest : nothing), sizeof(digest)};
    if (!grc_secret_equal(shown, wanted) || !key)
        return GRC_KEY_UNKNOWN;
    if (key->revoked_ms)
        return GRC_KEY_REVOKED;
    return key->expires_ms && key->expires_ms <= now_ms ? GRC_KEY_EXPIRED : GRC_KEY_FOUND;
}

/* --- the keys of a running gateway --- */

/* Identifies a version of the key file. A new version replaces the file by a rename. */
struct stamp {
    ino_t inode;
    off_t size;
    struct timespec written;
    struct timespec changed; /* chmod and chown, which may make the file readable, change it too */
    bool exists;
};

struct grc_keys {
    char *path;              /* NULL: the keys are in the store */
    bool closed;             /* without the store, no key is taken */
    struct grc_store *store; /* once they are watched */
    struct grc_ticker watcher;
    struct grc_ticker writer; /* of last use; no look waits while a row is locked or many are due */
    bool watched;
    struct grc_queue waiting;      /* requests that need a look; guarded by mutex */
    _Atomic int64_t looked_ms;     /* since boot: the set is what the store had then, or later */
    atomic_bool late;              /* no request waits until a look succeeds */
    int64_t version;               /* of the set; for the watcher */
    bool failing;                  /* the last look failed, which is logged once; for the watcher */
    _Atomic int64_t write_next_ms; /* monotonic: when times of last use are written again */
    pthread_mutex_t mutex;         /* for set */
    struct grc_key_set *set;
    _Atomic int64_t look_next_ms; /* monotonic */
    atomic_bool looking;
    struct stamp stamp;  /* of the file that `set` was read from; for the call that is looking */
    struct stamp failed; /* of a file that could not be read, which is logged only once */
    _Atomic int64_t use_written_ms;
    atomic_bool used;    /* a key was used since the times of last use were written */
    atomic_bool refused; /* they could not be written, which is logged only once */
};

static struct stamp stamp_of(const char *path)
{
    struct stamp stamp;
    struct stat info;

    memset(&stamp, 0, sizeof(stamp));
    if (stat(path, &info) != 0)
        return stamp;
    stamp.inode = info.st_ino;
    stamp.size = info.st_size;
    stamp.written = info.st_mtim;
    stamp.changed = info.st_ctim;
    stamp.exists = true;
    return stamp;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->exists == b->exists && a->inode == b->inode && a->size == b->size &&
           same_time(a->written, b->written) && same_time(a->changed, b->changed);
}

/* Returns NULL with a malloc'ed reason. */
static struct grc_key_set *load(const char *path, char **ret_reason)
{
    struct stat info;
    size_t len = 0;
    const char *reason = NULL;
    char *text;
    struct grc_key_set *set;

    if (stat(path, &info) != 0 && errno == ENOENT)
        return grc_key_set_parse(GR_STR(NO_KEYS), ret_reason);
    /* A user of this machine who can write the file could give access to any client. */
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & (S_IWGRP | S_IWOTH))) {
        *ret_reason = grc_format("users other than its owner can write it: chmod 600 '%s'", path);
        return NULL;
    }
    text = grc_file_read(path, GRC_KEYS_FILE_MAX, &len, &reason);
    if (!text) {
        *ret_reason = grc_format("%s", reason);
        return NULL;
    }
    set = grc_key_set_parse((gr_str){text, len}, ret_reason);
    free(text);
    if (set)
        grc_key_set_read_use(set, path);
    return set;
}

static void watch_store(void *arg);
static void write_to_store(void *arg);

static void init_locks(struct grc_keys *keys)
{
    pthread_mutex_init(&keys->mutex, NULL);
    grc_ticker_init(&keys->watcher, POLL_EVERY_MS, watch_store, keys);
    grc_ticker_init(&keys->writer, GRC_KEYS_USE_EVERY_MS, write_to_store, keys);
}

struct grc_keys *grc_keys_new(const char *path, char **ret_reason)
{
    struct grc_keys *keys = calloc(1, sizeof(*keys));

    *ret_reason = NULL;
    if (!keys)
        return NULL;
    init_locks(keys);
    keys->path = strdup(path);
    keys->stamp = stamp_of(path);
    keys->set = keys->path ? load(path, ret_reason) : NULL;
    if (keys->set) {
        atomic_init(&keys->use_written_ms, grc_now_ms());
        if (grc_key_set_count(keys->set) == 0)
            grc_warn("'%s' holds no API key yet: make one with `greenroom keys add`", path);
        return keys;
    }
    grc_keys_free(keys);
    return NULL;
}

static struct grc_key_set *set_take(struct grc_keys *keys)
{
    pthread_mutex_lock(&keys->mutex);
    struct grc_key_set *set = grc_key_set_ref(keys->set);
    pthread_mutex_unlock(&keys->mutex);
    return set;
}

/* Replaces the set, and keeps times of last use that are not written yet. Steals fresh. */
static void set_swap(struct grc_keys *keys, struct grc_key_set *fresh)
{
    struct grc_key_set *old = set_take(keys);

    for (size_t i = 0; i < grc_key_set_count(fresh); i++) {
        struct grc_api_key *key = grc_key_set_at(fresh, i);
        struct grc_api_key *was = grc_key_set_find(old, gr_str_of(key->id));

        if (was && atomic_load(&was->used_ms) > atomic_load(&key->used_ms))
            atomic_store(&key->used_ms, atomic_load(&was->used_ms));
    }
    pthread_mutex_lock(&keys->mutex);
    struct grc_key_set *replaced = keys->set;
    keys->set = fresh;
    pthread_mutex_unlock(&keys->mutex);
    grc_key_set_unref(replaced);
    grc_key_set_unref(old);
}

/* Reads the file again when it has changed. Done by one call at a time, while others use the old
 * set. */
static void look(struct grc_keys *keys)
{
    struct stamp now = stamp_of(keys->path);
    char *reason = NULL;

    if (same_stamp(&now, &keys->stamp))
        return;
    struct grc_key_set *fresh = load(keys->path, &reason);
    if (fresh) {
        keys->stamp = now;
        memset(&keys->failed, 0, sizeof(keys->failed));
        grc_log_fields(
            GR_LOG_INFO, now.exists ? "API keys read again" : "the file of API keys is gone",
            GRC_LOG_FIELDS(GRC_LT("file", keys->path), GRC_LI("count", grc_key_set_count(fresh))));
        set_swap(keys, fresh);
    } else if (!same_stamp(&now, &keys->failed)) {
        /* The next look tries again: the reason may pass, like a shortage of descriptors, and then
         * a revoked key must not stay valid. */
        keys->failed = now;
        grc_log_fields(GR_LOG_ERROR, "API keys cannot be read, going on with the old ones",
                       GRC_LOG_FIELDS(GRC_LT("file", keys->path),
                                      GRC_LT("reason", reason ? reason : "out of memory")));
    }
    free(reason);
}

static void look_when_due(struct grc_keys *keys)
{
    int64_t now_ms = grc_mono_ms();

    if (now_ms < atomic_load_explicit(&keys->look_next_ms, memory_order_relaxed) ||
        atomic_exchange_explicit(&keys->looking, true, memory_order_acquire))
        return;
    if (now_ms >= atomic_load_explicit(&keys->look_next_ms, memory_order_relaxed)) {
        atomic_store_explicit(&keys->look_next_ms, now_ms + LOOK_EVERY_MS, memory_order_relaxed);
        look(keys);
    }
    atomic_store_explicit(&keys->looking, false, memory_order_release);
}

static bool is_old(const struct grc_keys *keys)
{
    return grc_boot_ms() - atomic_load(&keys->looked_ms) > FRESH_MS;
}

/* Waits until the watcher has looked. When it cannot, the next requests do not wait. */
static void wait_for_look(struct grc_keys *keys)
{
    int64_t until_ms = grc_mono_ms() + LOOK_WAIT_MS;
    enum grc_woken woken = GRC_WOKEN_READY;

    pthread_mutex_lock(&keys->mutex);
    while (is_old(keys) && !atomic_load(&keys->late) && woken == GRC_WOKEN_READY) {
        grc_ticker_wake(&keys->watcher);
        woken = grc_queue_wait(&keys->waiting, &keys->mutex, until_ms, GRC_WAITS_KEYS);
    }
    if (woken == GRC_WOKEN_LATE)
        atomic_store(&keys->late, true);
    pthread_mutex_unlock(&keys->mutex);
}

/* Has the set read again where that is due. Returns false when the set may lack a revocation and
 * must not be used. */
static bool is_usable(struct grc_keys *keys)
{
    if (keys->path) {
        look_when_due(keys);
        return true;
    }
    if (!keys->watched || !is_old(keys))
        return true;
    wait_for_look(keys);
    return !keys->closed || !is_old(keys);
}

enum grc_key_verdict grc_keys_check(struct grc_keys *keys, gr_str text, int64_t now_ms,
                                    struct grc_key_set **ret_set,
                                    const struct grc_api_key **ret_key)
{
    gr_str id;

    if (!id_of(text, &id))
        return GRC_KEY_MALFORMED;
    if (!is_usable(keys))
        return GRC_KEY_UNCERTAIN;
    struct grc_key_set *set = set_take(keys);
    struct grc_api_key *key = grc_key_set_find(set, id);
    enum grc_key_verdict verdict = judge(key, text, now_ms);
    if (verdict != GRC_KEY_FOUND) {
        grc_key_set_unref(set);
        return verdict;
    }
    atomic_store_explicit(&key->used_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&keys->used, true, memory_order_relaxed);
    *ret_set = set;
    *ret_key = key;
    return GRC_KEY_FOUND;
}

static void write_use(struct grc_keys *keys)
{
    if (!atomic_exchange(&keys->used, false))
        return;
    struct grc_key_set *set = set_take(keys);
    if (!keys->path) {
        if (grc_keys_store_note_use(keys->store, set) != GR_OK)
            atomic_store(&keys->used, true);
    } else if (grc_key_set_write_use(set, keys->path)) {
        atomic_store(&keys->refused, false);
    } else if (!atomic_exchange(&keys->refused, true)) {
        grc_warn("'%s%s': the last use of keys cannot be written: %s", keys->path,
                 GRC_KEYS_USE_SUFFIX, strerror(errno));
    }
    grc_key_set_unref(set);
}

void grc_keys_note_use(struct grc_keys *keys, int64_t now_ms)
{
    int64_t last_ms = atomic_load_explicit(&keys->use_written_ms, memory_order_relaxed);

    if (!keys->path)
        return; /* the writer does it */
    if (now_ms - last_ms < GRC_KEYS_USE_EVERY_MS ||
        !atomic_compare_exchange_strong(&keys->use_written_ms, &last_ms, now_ms))
        return;
    write_use(keys);
}

/* --- keys of the store --- */

struct grc_keys *grc_keys_new_stored(bool closed)
{
    struct grc_keys *keys = calloc(1, sizeof(*keys));
    char *reason = NULL;

    if (!keys)
        return NULL;
    init_locks(keys);
    keys->closed = closed;
    keys->set = grc_key_set_parse(GR_STR(NO_KEYS), &reason);
    free(reason);
    if (keys->set)
        return keys;
    grc_keys_free(keys);
    return NULL;
}

/* The version is read before the keys: a change in between is read again with the next look. */
static bool read_store(struct grc_keys *keys, char **ret_reason)
{
    int64_t now_ms = grc_boot_ms();
    int64_t version = 0;
    enum gr_err err = grc_keys_store_version(keys->store, &version);

    if (err != GR_OK)
        return grc_refuse(ret_reason, "%s", grc_err_doc(err));
    if (version != keys->version) {
        struct grc_key_set *fresh = grc_keys_store_load(keys->store, ret_reason);
        if (!fresh)
            return false;
        set_swap(keys, fresh);
        keys->version = version;
    }
    atomic_store(&keys->looked_ms, now_ms);
    return true;
}

static void poll_store(struct grc_keys *keys)
{
    char *reason = NULL;
    bool failed = !read_store(keys, &reason);

    if (failed && !keys->failing)
        grc_log_fields(GR_LOG_ERROR,
                       keys->closed
                           ? "API keys cannot be read from the store, so no key is taken"
                           : "API keys cannot be read from the store, going on with the old ones",
                       GRC_LOG_FIELDS(GRC_LT("reason", reason ? reason : "out of memory")));
    if (!failed && keys->failing)
        grc_info("API keys are read from the store again");
    keys->failing = failed;
    free(reason);
    pthread_mutex_lock(&keys->mutex);
    atomic_store(&keys->late, failed);
    grc_queue_wake_all(&keys->waiting);
    pthread_mutex_unlock(&keys->mutex);
}

static void watch_store(void *arg)
{
    struct grc_keys *keys = arg;

    poll_store(keys);
    if (atomic_load(&keys->used) && grc_mono_ms() >= atomic_load(&keys->write_next_ms))
        grc_ticker_wake(&keys->writer);
}

static void write_to_store(void *arg)
{
    struct grc_keys *keys = arg;

    atomic_store(&keys->write_next_ms, grc_mono_ms() + GRC_KEYS_USE_EVERY_MS);
    write_use(keys);
}

bool grc_keys_watch(struct grc_keys *keys, struct grc_store *store, bool watch, char **ret_reason)
{
    *ret_reason = NULL;
    keys->store = store;
    if (!read_store(keys, ret_reason))
        return false;
    if (watch && grc_key_set_count(keys->set) == 0)
        grc_warn("the store holds no API key yet: make one with `greenroom keys add`");
    keys->watched = watch && grc_ticker_start(&keys->writer, STACK_BYTES) &&
                    grc_ticker_start(&keys->watcher, STACK_BYTES);
    return keys->watched || !watch || grc_refuse(ret_reason, "no thread to watch the keys");
}

void grc_keys_free(struct grc_keys *keys)
{
    if (!keys)
        return;
    grc_ticker_done(&keys->watcher);
    grc_ticker_done(&keys->writer);
    if (keys->set) {
        write_use(keys);
        grc_key_set_unref(keys->set);
    }
    pthread_mutex_destroy(&keys->mutex);
    free(keys->path);
    free(keys);
}
