/*
 * A list of unused handles or connections. Last in, first out, so that few are used again and the
 * others get old; the old ones are returned to be freed. The nodes are members of the handles and
 * connections. Thread-safe.
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

/* Returns false when the mutex cannot be made. */
bool grc_idle_init(struct grc_idle_list *list);
/* The list must be empty. */
void grc_idle_done(struct grc_idle_list *list);

/* Takes out the one that was put in last; NULL when the list is empty. */
struct grc_idle *grc_idle_take(struct grc_idle_list *list);
/*
 * Puts one in. When the oldest one has been in the list for longer than max_ms, it is taken out and
 * returned, and the caller frees it. One at a time is enough, since they are put in more often than
 * they get old.
 */
struct grc_idle *grc_idle_give(struct grc_idle_list *list, struct grc_idle *idle, int64_t max_ms);
