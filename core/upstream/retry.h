/* Decides whether a call to an upstream is retried, and how long to wait before. Thread-safe. */
#pragma once

#include "config/settings.h"

#include <stdatomic.h>

/* What is known about an attempt that failed. */
struct grc_retry_facts {
    enum gr_err err;
    bool safe;     /* GET, or declared idempotent */
    bool sent;     /* the request may have reached the upstream, in part or whole */
    bool received; /* a part of an answer has come */
    bool lasting;  /* another attempt cannot help: a wrong certificate, for example */
    unsigned tries_made;
    unsigned retries_max;
};

/* Tells whether to retry. A call that is not safe to repeat is retried only when nothing was sent.
 */
bool grc_retry_may(const struct grc_retry_facts *facts);

/* Returns the wait before attempt number tries_made + 1. It doubles with each attempt, and half of
 * it is random; `random` is any number. */
int64_t grc_retry_delay_ms(unsigned tries_made, uint64_t random);

/* Returns the wait after a Retry-After: that time, and some more, so that not all calls return at
 * once. own_ms is the result of grc_retry_delay_ms(). */
int64_t grc_retry_after_ms(int64_t retry_after_s, int64_t own_ms, uint64_t random);

/*
 * A budget limits retries to a share of the calls of the last seconds, so that retries do not
 * multiply the load of an upstream in trouble. The caller passes the time. Thread-safe without
 * locks: counts may be off by what happens at the same moment.
 */
#define GRC_BUDGET_SLOTS 10
struct grc_retry_budget {
    int64_t percent;
    struct grc_budget_slot {
        _Atomic int64_t number; /* counts slots since the clock's start; an old one is empty */
        _Atomic int64_t calls;
        _Atomic int64_t retries;
    } slots[GRC_BUDGET_SLOTS];
};
/* percent: of the calls, at most so many retries; ten within ten seconds are always allowed. */
void grc_retry_budget_init(struct grc_retry_budget *budget, int64_t percent);
/* Counts a call, which adds its share of a retry. */
void grc_retry_budget_earn(struct grc_retry_budget *budget, int64_t now_ms);
/* Counts a retry. Returns false when the budget is spent. */
bool grc_retry_budget_spend(struct grc_retry_budget *budget, int64_t now_ms);
