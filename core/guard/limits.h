/*
 * The limits of one reading of the config, and the throttle of failed attempts. A reload starts
 * with fresh ones: buckets are full again, requests in flight count where they began. Thread-safe.
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

/* The rate of a scope, of an operation id; NULL: none is configured. */
const struct grc_rate *grc_limits_scope(const struct grc_limits *limits, const char *scope);
const struct grc_rate *grc_limits_route(const struct grc_limits *limits, const char *id);

/* Counts a request in; false: there are as many as may be. Every true wants a leave. */
bool grc_limits_enter(struct grc_limits *limits);
void grc_limits_leave(struct grc_limits *limits);

/*
 * Notes a failed attempt. false: the address has failed too often; ret_retry_s tells for how long.
 *
 * An address that fails too often gets no more reasons, and its attempts no more log lines; but a
 * good credential from it is still good. Behind one address there may be a proxy with everybody:
 * then a lock-out would let any stranger shut all others out.
 */
bool grc_limits_failure(struct grc_limits *limits, gr_str address, int64_t now_us,
                        int64_t *ret_retry_s);
