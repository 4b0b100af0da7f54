/* How the rows of the route tables are written; each file ends with the table of its own routes. */
#pragma once

#include "sandbox.h"

/* Cursor paging: the smallest limit differs between the families. */
#define SB_PAGE_FIELDS(limit_min_)                                                                 \
    GR_FIELD("limit", GR_INT, "Rows of a page", .range = GR_RANGE(limit_min_, 100)),               \
        GR_FIELD("start", GR_STRING, "The last of the page before")

/* Route data of the sandbox: what sb_serve() and sb_authenticate() need to know of a row. */
struct sb_endpoint {
    sb_handler *run;
    const void *of;    /* for a handler that several rows share: what this row is about */
    const char *token; /* the kind of token it wants; NULL: "management" */
};

/* What serves a row: the function, and further members of its endpoint. */
#define SB_RUN(...) .handle = sb_serve, .data = (&(const struct sb_endpoint){.run = __VA_ARGS__})
/* The same for the sandbox's own routes. */
#define SB_RUN_ADMIN(...)                                                                          \
    .handle = sb_serve_admin, .data = (&(const struct sb_endpoint){.run = __VA_ARGS__})

/* The endpoint of the row that was called; NULL for none. */
static inline const struct sb_endpoint *sb_endpoint_of(const struct gr_call *call)
{
    const struct gr_route *route = gr_route_of(call);

    return route ? route->data : NULL;
}

/* Applies the rate and the faults asked for, takes the lock, counts the call, runs the endpoint,
 * and answers 500 without memory. */
gr_handler sb_serve;
/* The same for the admin routes: no faults, not counted. */
gr_handler sb_serve_admin;

/* Routes of the API. */
#define SB_ROUTE(method_, path_, id_, ...)                                                         \
    GR_ROUTE(method_, path_, "sandbox." id_, __VA_ARGS__, .access = GR_ACCESS_GROUP)
#define SB_GET(path_, id_, ...) SB_ROUTE(GR_METHOD_GET, path_, id_, __VA_ARGS__)
#define SB_POST(path_, id_, ...) SB_ROUTE(GR_METHOD_POST, path_, id_, __VA_ARGS__)
#define SB_DELETE(path_, id_, ...) SB_ROUTE(GR_METHOD_DELETE, path_, id_, __VA_ARGS__)

/* Routes of the sandbox itself: open, they exist for tests. */
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
