/* A bounded pool of connections, first come first served. Thread-safe. */
#pragma once

#include "loop/wait.h"

#include <greenroom/plugin.h>

struct grc_pool {
    pthread_mutex_t lock;
    void **idle; /* last in, first out: a small load keeps few connections warm */
    size_t idle_count;
    size_t total; /* made, or being made */
    size_t max;
    struct grc_queue waiting;
    size_t promised; /* free ones that are for calls which were woken */
};

/* false without memory. max is at least 1. */
bool grc_pool_init(struct grc_pool *pool, size_t max);
/* The pool must be empty: see grc_pool_drain(). */
void grc_pool_done(struct grc_pool *pool);
/*
 * Takes an idle item. GR_OK with *ret_item NULL is the right to make a new one, which ends with
 * grc_pool_put() like any other. GR_ERR_STORE_BUSY when nothing came free within wait_ms,
 * GR_ERR_CANCELLED when the call is no longer wanted.
 */
enum gr_err grc_pool_take(struct grc_pool *pool, int64_t wait_ms, void **ret_item);
/* Gives an item back. NULL tells that the item is gone; another caller may then make a new one. */
void grc_pool_put(struct grc_pool *pool, void *item);
/* The next idle item, for closing; NULL when there is none. */
void *grc_pool_drain(struct grc_pool *pool);
