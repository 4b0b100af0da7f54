#include "store/pool.h"

#include "base/clock.h"

#include <stdlib.h>

bool grc_pool_init(struct grc_pool *pool, size_t max)
{
    *pool = (struct grc_pool){.max = max};
    pool->idle = calloc(max, sizeof(*pool->idle));
    if (!pool->idle)
        return false;
    if (pthread_mutex_init(&pool->lock, NULL) != 0) {
        free(pool->idle);
        pool->idle = NULL;
        return false;
    }
    return true;
}

void grc_pool_done(struct grc_pool *pool)
{
    if (!pool->idle)
        return;
    pthread_mutex_destroy(&pool->lock);
    free(pool->idle);
    pool->idle = NULL;
}

/* Takes an idle item, or makes room for a new one (NULL). */
static void *take(struct grc_pool *pool)
{
    if (pool->idle_count)
        return pool->idle[--pool->idle_count];
    pool->total++;
    return NULL;
}

/* True when there is an item, or room for one, beyond those promised to woken callers. */
static bool is_free(const struct grc_pool *pool)
{
    return pool->idle_count + (pool->max - pool->total) > pool->promised;
}

enum gr_err grc_pool_take(struct grc_pool *pool, int64_t wait_ms, void **ret_item)
{
    enum grc_woken woken = GRC_WOKEN_READY;

    pthread_mutex_lock(&pool->lock);
    if (pool->waiting.first || !is_free(pool)) {
        woken =
            grc_queue_wait(&pool->waiting, &pool->lock, grc_mono_ms() + wait_ms, GRC_WAITS_STORE);
        if (woken == GRC_WOKEN_READY)
            pool->promised--;
    }
    if (woken == GRC_WOKEN_READY)
        *ret_item = take(pool);
    pthread_mutex_unlock(&pool->lock);
    if (woken == GRC_WOKEN_READY)
        return GR_OK;
    return woken == GRC_WOKEN_CANCELLED ? GR_ERR_CANCELLED : GR_ERR_STORE_BUSY;
}

void grc_pool_put(struct grc_pool *pool, void *item)
{
    pthread_mutex_lock(&pool->lock);
    if (item)
        pool->idle[pool->idle_count++] = item;
    else
        pool->total--;
    if (grc_queue_wake(&pool->waiting))
        pool->promised++;
    pthread_mutex_unlock(&pool->lock);
}

void *grc_pool_drain(struct grc_pool *pool)
{
    void *item = NULL;

    pthread_mutex_lock(&pool->lock);
    if (pool->idle_count) {
        item = pool->idle[--pool->idle_count];
        pool->total--;
    }
    pthread_mutex_unlock(&pool->lock);
    return item;
}
