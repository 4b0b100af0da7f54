/*
 * The limits of one reading of the config, and the throttle of failed attempts, counted by this
 * gateway alone or over several (guard/shared.h). A reload makes new ones: buckets of this gateway
 * alone are full again, and a request in flight counts in the limits it began with.
 * Thread-safe.
 */
#pragma once

#include "guard/shared.h"

#include <stdatomic.h>

struct grc_limits {
    const struct grc_limits_settings *settings;
    struct grc_rates *rates;    /* NULL: no rate and no concurrency is configured */
    struct grc_rates *failures; /* NULL: no throttle */
    struct grc_rate failure_rate;
    struct grc_shared *shared; /* NULL: this gateway counts alone */
    _Atomic int64_t in_flight;
};

/* settings must outlive it. NULL without memory. */
struct grc_limits *grc_limits_new(const struct grc_settings *settings);
void grc_limits_free(struct grc_limits *limits);

/* Prepares the counting with other gateways, when the settings want it. Returns false with a reason
 * (malloc'ed; NULL without memory). */
bool grc_limits_share(struct grc_limits *limits, char **ret_reason);
/* Begins to count with other gateways; until then this gateway counts alone. Returns false when
 * there is no thread for it. */
bool grc_limits_start(struct grc_limits *limits);

/*
 * Takes a token of a rate. Returns GR_ERR_RATE when there is none, and fills *ret_view in these two
 * cases; GR_ERR_OVERLOAD when the limit is shared, its server is away, and the settings say that
 * nothing passes then. May park.
 */
enum gr_err grc_limits_take(struct grc_limits *limits, const struct grc_shared_name *name,
                            const struct grc_rate *rate, struct grc_rate_view *ret_view);
/* Describes a bucket without taking anything. */
void grc_limits_look(struct grc_limits *limits, const struct grc_shared_name *name,
                     const struct grc_rate *rate, struct grc_rate_view *ret_view);

/* One use that is counted. */
struct grc_limits_use {
    uint64_t key;
    bool shared;
    bool counted; /* false: the table had no room */
};
/* Counts one more use of at most max, until grc_limits_release(). Returns GR_ERR_RATE when there
 * are as many, GR_ERR_OVERLOAD as grc_limits_take(). May park. */
enum gr_err grc_limits_use(struct grc_limits *limits, const struct grc_shared_name *name,
                           int64_t max, struct grc_limits_use *ret_use);
void grc_limits_release(struct grc_limits *limits, const struct grc_limits_use *use);

/* Return the rate of a scope or of an operation id; NULL when none is configured. */
const struct grc_rate *grc_limits_scope(const struct grc_limits *limits, const char *scope);
const struct grc_rate *grc_limits_route(const struct grc_limits *limits, const char *id);

/* Counts a request as in flight, until grc_limits_leave(). Returns false when there are as many as
 * allowed already. */
bool grc_limits_enter(struct grc_limits *limits);
void grc_limits_leave(struct grc_limits *limits);

/*
 * Counts a failed attempt. May park. When shared counts cannot be reached, this gateway counts
 * alone, whatever the settings say: a wrong credential passes nowhere.
 * Returns false when the address has failed too often; it may try again after *ret_retry_s seconds.
 *
 * An address that has failed too often gets no reasons, and its failures are not logged, but a
 * valid credential from it is still accepted. The address may be that of a proxy which all clients
 * come through: if it were locked out, one client could shut out all others.
 */
bool grc_limits_failure(struct grc_limits *limits, gr_str address, int64_t now_us,
                        int64_t *ret_retry_s);
