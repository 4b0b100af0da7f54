/*
 * Decides who may call, and how often. These are steps of server/pipeline.c, which has their order.
 */
#pragma once

#include "auth/callers.h"
#include "call/call.h"
#include "guard/rates.h"

/* What the steps keep for a call, in its arena. */
struct grc_guard_state;

/* Counts the request as in progress, for the gateway and for its address, until the call ends.
 * Fails with 503 or 429 when there are too many. Requests of the gateway's own groups are not
 * counted, so that probes always get through. */
enum gr_err grc_guard_enter(struct grc_call *call);
/* Ends the counting before the answer is sent, so that a client which sends its next request after
 * each answer is never refused because of its own former request. */
void grc_guard_leave(struct grc_call *call);
/* Fails with 429 and Retry-After when the address sends requests too often. */
enum gr_err grc_guard_address(struct grc_call *call);
/* Finds the caller of a GR_ACCESS_CALLER route. Fails with 401 when there is none. */
enum gr_err grc_guard_authenticate(struct grc_call *call);
/* The same, but without failing the call and without counting. */
enum grc_auth_verdict grc_guard_identify(struct grc_call *call, const char **ret_reason);
/* Called after a group has refused a credential, which is counted like one that the host refuses.
 * Returns GR_ERR_UNAUTHORIZED with the group's error, or GR_ERR_RATE when the address has failed
 * too often. */
enum gr_err grc_guard_group_refused(struct grc_call *call);
/* Fails with 403 when a scope is missing, which the error names, and when the caller has a binding
 * that the route has no field for. */
enum gr_err grc_guard_scope(struct grc_call *call);
/* Fails with 429 and Retry-After when the caller sends requests too often, in all, with this scope
 * or to this route. Writes the RateLimit headers. */
enum gr_err grc_guard_rate(struct grc_call *call);
/* Fails with 429 when the caller has too many requests in progress. */
enum gr_err grc_guard_concurrent(struct grc_call *call);
/* Fails with 403 when the caller has a binding, and the validated parameters and body have other
 * values of that kind, or none. */
enum gr_err grc_guard_binds(struct grc_call *call);

/* A rate limit of a call, and the current state of its bucket. */
struct grc_guard_limit {
    const char *of;   /* "address", "caller", "scope" or "operation" */
    const char *name; /* name of the address, scope or operation; "" for the caller */
    const struct grc_rate *rate;
    struct grc_rate_view view;
};
/* Visits each rate limit of a call, whose caller and route must be known, without counting it. */
typedef void grc_guard_limit_fn(void *arg, const struct grc_guard_limit *limit);
void grc_guard_limits(struct grc_call *call, grc_guard_limit_fn *visit, void *arg);
