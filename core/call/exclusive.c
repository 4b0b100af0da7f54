#include "call/exclusive.h"

#include "base/hash.h"
#include "loop/wait.h"

#include <stdlib.h>

#define BUCKETS 256u

/* A key that is held. The entry is freed when it has no holder and no waiting call. */
struct entry {
    struct entry *next;
    const void *holder; /* the entry itself, while the key is handed to the next call */
    struct grc_queue waiting;
    unsigned users;
    const char *owner; /* in text, as is the key */
    gr_str key;
    char text[];
};

static struct {
    pthread_mutex_t lock; /* held for a few instructions at a time */
    struct entry *buckets[BUCKETS];
    size_t count;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Returns the place of the entry, or where it would be. */
static struct entry **find(const char *owner, gr_str key)
{
    struct entry **at = &table.buckets[grc_hash(grc_hash(0, gr_str_of(owner)), key) % BUCKETS];

    while (*at && !(gr_str_eq((*at)->key, key) && strcmp((*at)->owner, owner) == 0))
        at = &(*at)->next;
    return at;
}

static struct entry *entry_new(const char *owner, gr_str key)
{
    size_t owner_size = strlen(owner) + 1;
    struct entry *entry = calloc(1, sizeof(*entry) + owner_size + key.len + 1);

    if (!entry)
        return NULL;
    memcpy(entry->text, owner, owner_size);
    if (key.len)
        memcpy(entry->text + owner_size, key.ptr, key.len);
    entry->owner = entry->text;
    entry->key = (gr_str){entry->text + owner_size, key.len};
    table.count++;
    return entry;
}

/* The lock is held. */
static void drop_user(struct entry **at)
{
    struct entry *entry = *at;

    if (--entry->users > 0)
        return;
    *at = entry->next;
    table.count--;
    free(entry);
}

/* The lock is held. */
static enum gr_err wait_for_it(struct entry *entry, int64_t deadline_ms)
{
    switch (grc_queue_wait(&entry->waiting, &table.lock, deadline_ms, GRC_WAITS_TURN)) {
    case GRC_WOKEN_READY:
        return GR_OK;
    case GRC_WOKEN_LATE:
        return GR_ERR_TIMEOUT;
    case GRC_WOKEN_CANCELLED:
        return GR_ERR_CANCELLED;
    case GRC_WOKEN_FAILED:
        break;
    }
    return GR_ERR_NO_MEMORY;
}

/* The lock is held. */
static enum gr_err enter(const char *owner, gr_str key, const void *holder, int64_t deadline_ms,
                         bool *ret_new)
{
    struct entry **at = find(owner, key);
    enum gr_err err = GR_OK;

    if (!*at)
        *at = entry_new(owner, key);
    struct entry *entry = *at;

    if (!entry)
        return GR_ERR_NO_MEMORY;
    *ret_new = entry->holder != holder;
    if (!*ret_new)
        return GR_OK;
    entry->users++;
    if (entry->holder)
        err = wait_for_it(entry, deadline_ms);
    if (err == GR_OK)
        entry->holder = holder;
    else
        drop_user(find(owner, key)); /* searched again, since the list may have changed */
    return err;
}

enum gr_err grc_exclusive_enter(const char *owner, gr_str key, const void *holder,
                                int64_t deadline_ms, bool *ret_new)
{
    pthread_mutex_lock(&table.lock);
    enum gr_err err = enter(owner, key, holder, deadline_ms, ret_new);
    pthread_mutex_unlock(&table.lock);
    return err;
}

void grc_exclusive_leave(const char *owner, gr_str key)
{
    pthread_mutex_lock(&table.lock);
    struct entry **at = find(owner, key);
    struct entry *entry = *at;

    /* Handed over directly, so that no new call gets the key before those that wait. */
    entry->holder = grc_queue_wake(&entry->waiting) ? entry : NULL;
    drop_user(at);
    pthread_mutex_unlock(&table.lock);
}

size_t grc_exclusive_count(void)
{
    pthread_mutex_lock(&table.lock);
    size_t count = table.count;
    pthread_mutex_unlock(&table.lock);
    return count;
}
