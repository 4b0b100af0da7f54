/* A bounded pool of connections: see pool.h. */
#include "store/pool.h"

#include "base/clock.h"

#include <stdlib.h>

/* Lives on the stack of the thread that waits. */
struct grc_pool_waiter {
    struct grc_pool_waiter *next;
    pthread_cond_t ready;
    bool served;
    void *item;
};

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

static void waiter_remove(struct grc_pool *pool, struct grc_pool_waiter *waiter)
{
    struct grc_pool_waiter *before = NULL;

    for (struct grc_pool_waiter *at = pool->first; at; before = at, at = at->next) {
        if (at != waiter)
            continue;
        if (before)
            before->next = at->next;
        else
            pool->first = at->next;
        if (pool->last == at)
            pool->last = before;
        return;
    }
}

/* Queues up under the lock. */
static enum gr_err wait_turn(struct grc_pool *pool, int64_t wait_ms, void **ret_item)
{
    struct grc_pool_waiter waiter = {.ready = PTHREAD_COND_INITIALIZER};
    const int64_t due_ms = grc_mono_ms() + wait_ms;

    if (pool->last)
        pool->last->next = &waiter;
    else
        pool->first = &waiter;
    pool->last = &waiter;
    while (!waiter.served) {
        if (!grc_cond_wait_until(&waiter.ready, &pool->lock, due_ms))
            break;
    }
    if (!waiter.served)
        waiter_remove(pool, &waiter);
    pthread_cond_destroy(&waiter.ready);
    if (!waiter.served)
        return GR_ERR_STORE_BUSY;
    *ret_item = waiter.item;
    return GR_OK;
}

enum gr_err grc_pool_take(struct grc_pool *pool, int64_t wait_ms, void **ret_item)
{
    enum gr_err err = GR_OK;

    pthread_mutex_lock(&pool->lock);
    if (!pool->first && pool->idle_count) {
        *ret_item = pool->idle[--pool->idle_count];
    } else if (!pool->first && pool->total < pool->max) {
        pool->total++;
        *ret_item = NULL;
    } else {
        err = wait_turn(pool, wait_ms, ret_item);
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}

void grc_pool_put(struct grc_pool *pool, void *item)
{
    pthread_mutex_lock(&pool->lock);
    struct grc_pool_waiter *waiter = pool->first;
    if (waiter) {
        pool->first = waiter->next;
        if (!pool->first)
            pool->last = NULL;
        waiter->item = item;
        waiter->served = true;
        pthread_cond_signal(&waiter->ready);
    } else if (item) {
        pool->idle[pool->idle_count++] = item;
    } else {
        pool->total--;
    }
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
