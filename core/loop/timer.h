/* Timers of a loop: a heap by time. Thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A moment that never comes. */
#define GRC_NEVER_MS INT64_MAX

typedef void grc_timer_fn(void *arg);

/* Zeroed memory is one that is not set. It lies in memory of its user's. */
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
 * (Re)sets the timer. Returns whether it is the next one of all now. fn(arg) runs once, on a
 * worker, after the timer was taken out: the timer may be set again there. GRC_NEVER_MS clears it.
 * false in *ret_set: no memory.
 */
bool grc_timers_set(struct grc_timers *timers, struct grc_timer *timer, int64_t due_ms,
                    grc_timer_fn *fn, void *arg, bool *ret_set);
/* true: it was set, and fn will not be called. false: it is not set; a worker may just be about to
 * call fn(arg), so what arg points to has to outlive that. */
bool grc_timers_clear(struct grc_timers *timers, struct grc_timer *timer);
/* Takes out one timer that is due. false: none is. */
bool grc_timers_take(struct grc_timers *timers, int64_t now_ms, grc_timer_fn **ret_fn,
                     void **ret_arg);
/* When the next one is due; GRC_NEVER_MS: none is set. One atomic read. */
int64_t grc_timers_next_ms(const struct grc_timers *timers);
