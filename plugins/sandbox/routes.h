/* Macros for the rows of the route tables. Each file ends with the table of its routes. */
#pragma once

#include "sandbox.h"

/* Fields of cursor paging; the minimum of limit differs between resources. */
#define SB_PAGE_FIELDS(limit_min_)                                                                 \
    GR_FIELD("limit", GR_INT, "Maximum number of items in the answer",                             \
             .range = GR_RANGE(limit_min_, 100)),                                                  \
        GR_FIELD("start", GR_STRING, "Start of the page: `last` of the previous page")

/* .data of a route, for sb_serve() and sb_authenticate(). */
struct sb_endpoint {
    sb_handler *run;
    const void *of;    /* argument for a handler that several rows share */
    const char *token; /* required type of token; NULL: "management" */
};

/* The function of a route, and optional further members of its endpoint. */
#define SB_RUN(...) .handle = sb_serve, .data = (&(const struct sb_endpoint){.run = __VA_ARGS__})
/* The same for the routes for tests. */
#define SB_RUN_ADMIN(...)                                                                          \
    .handle = sb_serve_admin, .data = (&(const struct sb_endpoint){.run = __VA_ARGS__})

/* The endpoint of the called route; NULL without a route. */
static inline const struct sb_endpoint *sb_endpoint_of(const struct gr_call *call)
{
    const struct gr_route *route = gr_route_of(call);

    return route ? route->data : NULL;
}

/* Applies the rate limit and the faults, takes the lock, counts the call, and runs the endpoint.
 * Fails the call when memory ran out meanwhile. */
gr_handler sb_serve;
/* The same for the routes for tests, without rate limit, faults and counting. */
gr_handler sb_serve_admin;

/* Routes of the API. */
#define SB_ROUTE(method_, path_, id_, ...)                                                         \
    GR_ROUTE(method_, path_, "sandbox." id_, __VA_ARGS__, .access = GR_ACCESS_GROUP)
#define SB_GET(path_, id_, ...) SB_ROUTE(GR_METHOD_GET, path_, id_, __VA_ARGS__)
#define SB_POST(path_, id_, ...) SB_ROUTE(GR_METHOD_POST, path_, id_, __VA_ARGS__)
#define SB_DELETE(path_, id_, ...) SB_ROUTE(GR_METHOD_DELETE, path_, id_, __VA_ARGS__)

/* Routes for tests, which need no token. */
#define SB_ADMIN(method_, path_, id_, ...)                                                         \
    GR_ROUTE(GR_METHOD_##method_, "/sandbox" path_, "sandbox." id_, __VA_ARGS__,                   \
             .access = GR_ACCESS_OPEN)

extern const struct gr_route sb_admin_routes[];
extern const struct gr_route sb_analytics_routes[];
extern const struct gr_route sb_asset_routes[];
extern const struct gr_route sb_code_routes[];
extern const struct gr_route sb_fault_routes[];
extern const struct gr_route sb_job_routes[];
extern const struct gr_route sb_key_routes[];
extern const struct gr_route sb_poll_result_routes[];
extern const struct gr_route sb_poll_routes[];
extern const struct gr_route sb_poll_run_routes[];
extern const struct gr_route sb_room_routes[];
extern const struct gr_route sb_session_routes[];
extern const struct gr_route sb_sip_routes[];
extern const struct gr_route sb_template_routes[];
extern const struct gr_route sb_webhook_routes[];
