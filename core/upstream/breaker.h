/*
 * A circuit breaker. After too many failures, as a share of the calls or in a row, it opens: for
 * the time open_ms calls are refused at once. Then single calls are let through as probes, one for
 * each further open_ms until one has an answer, so that a probe that hangs does not delay the
 * recovery. Thread-safe; the caller passes the time.
 */
#pragma once

#include "config/settings.h"

#include <pthread.h>
#include <stdatomic.h>

#define GRC_BREAKER_SLOTS 10

enum grc_breaker_state { GRC_BREAKER_CLOSED = 0, GRC_BREAKER_OPEN, GRC_BREAKER_HALF_OPEN };
enum grc_breaker_pass { GRC_BREAKER_PASS = 0, GRC_BREAKER_PROBE, GRC_BREAKER_REFUSE };
enum grc_breaker_result { GRC_BREAKER_GOOD = 0, GRC_BREAKER_BAD, GRC_BREAKER_NONE };

struct grc_breaker {
    struct grc_breaker_settings settings;
    pthread_mutex_t lock;
    _Atomic int state;     /* enum grc_breaker_state; written under the lock */
    int64_t probe_next_ms; /* while half open: when to let the next probe through */
    int64_t open_until_ms;
    int64_t bads_in_row; /* failures since the last good call, none more than a window apart */
    int64_t last_bad_ms;
    struct grc_breaker_slot {
        int64_t number; /* counts slots since the clock's start; one with an old number is empty */
        int64_t good;
        int64_t bad;
    } slots[GRC_BREAKER_SLOTS];
};

bool grc_breaker_init(struct grc_breaker *breaker, const struct grc_breaker_settings *settings);
void grc_breaker_done(struct grc_breaker *breaker);
/* Tells whether a call may be made now. When it is refused, *ret_wait_ms is the time to wait. */
enum grc_breaker_pass grc_breaker_ask(struct grc_breaker *breaker, int64_t now_ms,
                                      int64_t *ret_wait_ms);
/* Reports the result of a call that was let through; GRC_BREAKER_NONE when it is unknown, because
 * the client left for example. Returns true when the state has changed. */
bool grc_breaker_tell(struct grc_breaker *breaker, int64_t now_ms, enum grc_breaker_pass pass,
                      enum grc_breaker_result result);
static inline enum grc_breaker_state grc_breaker_state(const struct grc_breaker *breaker)
{
    return (enum grc_breaker_state)atomic_load_explicit(&breaker->state, memory_order_relaxed);
}
