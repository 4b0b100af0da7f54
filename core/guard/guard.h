/*
 * Who may call, and how often. The steps of a request's way that stand between routing and the
 * body: see server/pipeline.c for their order.
 */
#pragma once

#include "auth/callers.h"
#include "call/call.h"
#include "guard/rates.h"

/* What the steps remember of a call; in its arena. */
struct grc_guard_state;

/* Counts the request in, for the whole gateway and for its address; 503 or 429 when there are too
 * many. What is counted is let go when the call ends. Not for the gateway's own groups: probes must
 * get through. */
enum gr_err grc_guard_enter(struct grc_call *call);
/* Counts the request out again: before its answer leaves, so that a client which waits for one
 * answer before it asks again never meets itself. */
void grc_guard_leave(struct grc_call *call);
/* 429 with Retry-After when the address asks too often. */
enum gr_err grc_guard_address(struct grc_call *call);
/* Finds the caller of a GR_ACCESS_CALLER route; fails the call with 401 when there is none. */
enum gr_err grc_guard_authenticate(struct grc_call *call);
/* The same without an error and without counting: who it is, or a static reason. */
enum grc_auth_verdict grc_guard_identify(struct grc_call *call, const char **ret_reason);
/* Called after a group refused a credential of its own, which then counts like one that the host
 * refused. Returns GR_ERR_UNAUTHORIZED with the group's error, or GR_ERR_RATE when the address has
 * failed too often. */
enum gr_err grc_guard_group_refused(struct grc_call *call);
/* Fails with 403 that names the missing scope, and also when the caller is bound and the route
 * names nothing of what the caller is bound to. */
enum gr_err grc_guard_scope(struct grc_call *call);
/* Fails with 429 and Retry-After when the caller asks too often, for everything, for this scope or
 * for this route. Writes the RateLimit headers. */
enum gr_err grc_guard_rate(struct grc_call *call);
/* Fails with 429 when the caller has too many requests in progress. */
enum gr_err grc_guard_concurrent(struct grc_call *call);
/* Fails with 403 when a caller is bound, and the validated parameters and body name other values of
 * that kind, or none at all. */
enum gr_err grc_guard_binds(struct grc_call *call);

/* A rate that a call is held to, and its bucket as it is now. */
struct grc_guard_limit {
    const char *of;   /* "address", "caller", "scope" or "operation" */
    const char *name; /* of the address, the scope, the operation; "" for the caller */
    const struct grc_rate *rate;
    struct grc_rate_view view;
};
/* Visits each rate that a call is held to, without taking of it. Its caller and route are known. */
typedef void grc_guard_limit_fn(void *arg, const struct grc_guard_limit *limit);
void grc_guard_limits(struct grc_call *call, grc_guard_limit_fn *visit, void *arg);
