/*
 * A circuit breaker: after too many failures, by their share or in a row, calls are refused at once
 * for a while, then single probes find out whether the upstream is back: one as soon as the time is
 * over, and another one after each further such time without an answer, so that a probe that hangs
 * does not decide. Thread-safe; times are handed in.
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
    int64_t probe_next_ms; /* while half open: when to let another one through */
    int64_t open_until_ms;
    int64_t streak; /* failures in a row, none a window after the one before */
    int64_t last_bad_ms;
    struct grc_breaker_slot {
        int64_t number; /* of the slot since the clock's start; older ones are empty */
        int64_t good;
        int64_t bad;
    } slots[GRC_BREAKER_SLOTS];
};

bool grc_breaker_init(struct grc_breaker *breaker, const struct grc_breaker_settings *settings);
void grc_breaker_done(struct grc_breaker *breaker);
/* May a call be made now? When refused, ret_wait_ms says how long to wait. */
enum grc_breaker_pass grc_breaker_ask(struct grc_breaker *breaker, int64_t now_ms,
                                      int64_t *ret_wait_ms);
/* Every passed call tells how it went. NONE: nothing is known (the client left). Returns true when
 * the state changed. */
bool grc_breaker_tell(struct grc_breaker *breaker, int64_t now_ms, enum grc_breaker_pass pass,
                      enum grc_breaker_result result);
static inline enum grc_breaker_state grc_breaker_state(const struct grc_breaker *breaker)
{
    return (enum grc_breaker_state)atomic_load_explicit(&breaker->state, memory_order_relaxed);
}
