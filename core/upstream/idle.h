/*
 * What rests until it is wanted again: handles and connections. Last in, first out, so that few are
 * in use, and warm ones; the one that has rested for too long is handed out to be freed. The nodes
 * are members of what rests. Thread-safe.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct grc_idle {
    struct grc_idle *older;
    struct grc_idle *newer;
    int64_t since_ms; /* monotonic */
};

struct grc_idle_list {
    pthread_mutex_t lock;
    struct grc_idle *newest;
    struct grc_idle *oldest;
};

/* False where a mutex cannot be made. */
bool grc_idle_init(struct grc_idle_list *list);
/* The list is empty. */
void grc_idle_done(struct grc_idle_list *list);

/* Takes out the one that has rested for the shortest time; NULL when none rests. */
struct grc_idle *grc_idle_take(struct grc_idle_list *list);
/*
 * Puts one in. Returns the oldest one, taken out, when it has rested for longer than max_ms: the
 * caller frees it. One at a time is enough, since something is put in more often than it gets old.
 */
struct grc_idle *grc_idle_give(struct grc_idle_list *list, struct grc_idle *idle, int64_t max_ms);
