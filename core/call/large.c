#include "call/large.h"

#include "loop/wait.h"

static struct {
    pthread_mutex_t lock;
    size_t held;
    struct grc_queue waiting;
} trees = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum gr_err wait_for_room(int64_t deadline_ms)
{
    switch (grc_queue_wait(&trees.waiting, &trees.lock, deadline_ms, GRC_WAITS_MEMORY)) {
    case GRC_WOKEN_READY:
        return GR_OK;
    case GRC_WOKEN_LATE:
        return GR_ERR_OVERLOAD;
    case GRC_WOKEN_CANCELLED:
        return GR_ERR_CANCELLED;
    case GRC_WOKEN_FAILED:
        break;
    }
    return GR_ERR_NO_MEMORY;
}

enum gr_err grc_large_enter(size_t bytes, size_t total_max, int64_t deadline_ms)
{
    enum gr_err err = GR_OK;

    pthread_mutex_lock(&trees.lock);
    while (err == GR_OK && trees.held && (bytes > total_max || trees.held > total_max - bytes))
        err = wait_for_room(deadline_ms);
    if (err == GR_OK)
        trees.held += bytes;
    pthread_mutex_unlock(&trees.lock);
    return err;
}

void grc_large_leave(size_t bytes)
{
    pthread_mutex_lock(&trees.lock);
    trees.held -= bytes;
    /* Wakes all, since there may be room for several small ones, but not for the one that waits
     * longest. */
    grc_queue_wake_all(&trees.waiting);
    pthread_mutex_unlock(&trees.lock);
}
