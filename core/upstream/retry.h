/* When a call to an upstream may be made again, and how long to wait before. No side effects but
 * the budget's counter. Thread-safe. */
#pragma once

#include <greenroom/plugin.h>

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

/*
 * A budget bounds retries to a share of all calls, so that a struggling upstream is not met with a
 * multiple of its load. Starts full.
 */
struct grc_retry_budget {
    _Atomic int64_t level; /* in tenths of a retry */
};
void grc_retry_budget_init(struct grc_retry_budget *budget);
/* Every call earns a tenth of a retry. */
void grc_retry_budget_earn(struct grc_retry_budget *budget);
/* false: spent. */
bool grc_retry_budget_spend(struct grc_retry_budget *budget);
