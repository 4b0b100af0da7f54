/* A bounded pool of connections; callers that wait are served in order. Thread-safe. */
#pragma once

#include "loop/wait.h"

#include <greenroom/plugin.h>

struct grc_pool {
    pthread_mutex_t lock;
    void **idle; /* last in, first out, so that a small load uses few connections */
    size_t idle_count;
    size_t total; /* made, or being made */
    size_t max;
    struct grc_queue waiting;
    size_t promised; /* free items for callers that were woken and have not taken them yet */
};

/* Returns false without memory. max is at least 1. */
bool grc_pool_init(struct grc_pool *pool, size_t max);
/* The pool must be empty: see grc_pool_drain(). */
void grc_pool_done(struct grc_pool *pool);
/*
 * Takes an idle item. GR_OK with *ret_item NULL allows the caller to make a new one. Either way the
 * caller ends with grc_pool_put(). Returns GR_ERR_STORE_BUSY when none became free within wait_ms,
 * GR_ERR_CANCELLED when the call was cancelled.
 */
enum gr_err grc_pool_take(struct grc_pool *pool, int64_t wait_ms, void **ret_item);
/* Gives an item back. NULL means that the item is gone, so that another caller may make a new one.
 */
void grc_pool_put(struct grc_pool *pool, void *item);
/* Takes an idle item out for closing; NULL when there is none. */
void *grc_pool_drain(struct grc_pool *pool);
