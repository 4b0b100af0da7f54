/* When a call to an upstream may be made again, and how long to wait before. No side effects but
 * the budget's counters. Thread-safe. */
#pragma once

#include "config/settings.h"

#include <stdatomic.h>

/* What is known about an attempt that failed. */
struct grc_retry_facts {
    enum gr_err err;
    bool safe;     /* GET, or declared idempotent */
    bool sent;     /* the request may have reached the upstream, in part or whole */
    bool received; /* any byte of an answer came */
    bool lasting;  /* trying again cannot help: a wrong certificate … */
    unsigned tries_made;
    unsigned retries_max;
};

/* Tells whether to try again. Unsafe calls are repeated only when nothing was ever sent. */
bool grc_retry_may(const struct grc_retry_facts *facts);

/* Wait before try number tries_made + 1: doubling, half of it random; random is any number. */
int64_t grc_retry_delay_ms(unsigned tries_made, uint64_t random);

/* How long to wait with an upstream that asked for it: what it said, and some more, so that not all
 * come back at once. own_ms: what grc_retry_delay_ms() says. */
int64_t grc_retry_after_ms(int64_t retry_after_s, int64_t own_ms, uint64_t random);

/*
 * A budget bounds retries to a share of the calls of the last seconds, so that a struggling
 * upstream is not met with a multiple of its load. Times are handed in. Thread-safe and without
 * locks: counts may be off by what happens at the same moment.
 */
#define GRC_BUDGET_SLOTS 10
struct grc_retry_budget {
    int64_t percent;
    struct grc_budget_slot {
        _Atomic int64_t number; /* of the slot since the clock's start; older ones are empty */
        _Atomic int64_t calls;
        _Atomic int64_t retries;
    } slots[GRC_BUDGET_SLOTS];
};
/* percent: of the calls, at most so many retries; ten within ten seconds are always allowed. */
void grc_retry_budget_init(struct grc_retry_budget *budget, int64_t percent);
/* Every call earns its share of a retry. */
void grc_retry_budget_earn(struct grc_retry_budget *budget, int64_t now_ms);
/* false: spent. */
bool grc_retry_budget_spend(struct grc_retry_budget *budget, int64_t now_ms);
