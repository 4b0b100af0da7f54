/*
 * The limits of one reading of the config, and the throttle of failed attempts. A reload makes new
 * ones: buckets are full again, and a request in flight counts in the limits it began with.
 * Thread-safe.
 */
#pragma once

#include "guard/rates.h"

#include <stdatomic.h>

struct grc_limits {
    const struct grc_limits_settings *settings;
    struct grc_rates *rates;    /* NULL: no rate and no concurrency is configured */
    struct grc_rates *failures; /* NULL: no throttle */
    struct grc_rate failure_rate;
    _Atomic int64_t in_flight;
};

/* settings must outlive it. NULL without memory. */
struct grc_limits *grc_limits_new(const struct grc_settings *settings);
void grc_limits_free(struct grc_limits *limits);

/* Return the rate of a scope or of an operation id; NULL when none is configured. */
const struct grc_rate *grc_limits_scope(const struct grc_limits *limits, const char *scope);
const struct grc_rate *grc_limits_route(const struct grc_limits *limits, const char *id);

/* Counts a request as in flight, until grc_limits_leave(). Returns false when there are as many as
 * allowed already. */
bool grc_limits_enter(struct grc_limits *limits);
void grc_limits_leave(struct grc_limits *limits);

/*
 * Counts a failed attempt. Returns false when the address has failed too often; it may try again
 * after *ret_retry_s seconds.
 *
 * An address that has failed too often gets no reasons, and its failures are not logged, but a
 * valid credential from it is still accepted. The address may be that of a proxy which all clients
 * come through: if it were locked out, one client could shut out all others.
 */
bool grc_limits_failure(struct grc_limits *limits, gr_str address, int64_t now_us,
                        int64_t *ret_retry_s);
