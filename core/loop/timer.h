/* Timers of a loop: a heap by time. Thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A moment that never comes. */
#define GRC_NEVER_MS INT64_MAX

typedef void grc_timer_fn(void *arg);

/* A timer, in memory of its user. Zeroed memory is a timer that is not set. */
struct grc_timer {
    int64_t due_ms; /* monotonic */
    grc_timer_fn *fn;
    void *arg;
    size_t place; /* in the heap, from 1; 0: not set */
};

struct grc_timers;

struct grc_timers *grc_timers_new(void);
void grc_timers_free(struct grc_timers *timers);
/*
 * Sets the timer, or sets it anew. fn(arg) runs once, on a worker, when the timer is no longer set,
 * so that it may set it again. GRC_NEVER_MS clears the timer. Returns whether it is now the next
 * timer of all. *ret_set is false without memory.
 */
bool grc_timers_set(struct grc_timers *timers, struct grc_timer *timer, int64_t due_ms,
                    grc_timer_fn *fn, void *arg, bool *ret_set);
/* Returns true when the timer was set: fn will not be called. Returns false when it was not set; a
 * worker may be about to call fn(arg) then, so arg must point to memory that outlives the call. */
bool grc_timers_clear(struct grc_timers *timers, struct grc_timer *timer);
/* Takes out one timer that is due. Returns false when none is. */
bool grc_timers_take(struct grc_timers *timers, int64_t now_ms, grc_timer_fn **ret_fn,
                     void **ret_arg);
/* When the next timer is due; GRC_NEVER_MS when none is set. Costs one atomic read. */
int64_t grc_timers_next_ms(const struct grc_timers *timers);
