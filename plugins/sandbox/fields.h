/* Field rows that several groups share, and the row macros of the route table. */
#pragma once

#include <greenroom/plugin.h>

/* Cursor paging: the smallest limit differs between the families. */
#define SB_PAGE_FIELDS(limit_min_)                                                                 \
    GR_FIELD("limit", GR_INT, "Rows of a page", .range = GR_RANGE(limit_min_, 100)),               \
        GR_FIELD("start", GR_STRING, "The last of the page before")

/* Routes of the API: with a management token (sip/dtmf: an app token). */
#define SB_ROUTE(method_, path_, id_, ...)                                                         \
    GR_ROUTE(method_, path_, "sandbox." id_, __VA_ARGS__, .access = GR_ACCESS_GROUP)
#define SB_GET(path_, id_, ...) SB_ROUTE(GR_METHOD_GET, path_, id_, __VA_ARGS__)
#define SB_POST(path_, id_, ...) SB_ROUTE(GR_METHOD_POST, path_, id_, __VA_ARGS__)
#define SB_DELETE(path_, id_, ...) SB_ROUTE(GR_METHOD_DELETE, path_, id_, __VA_ARGS__)

/* Routes of the sandbox itself: open, they exist for tests. */
#define SB_ADMIN(method_, path_, id_, ...)                                                         \
    GR_ROUTE(GR_METHOD_##method_, "/sandbox" path_, "sandbox." id_, __VA_ARGS__,                   \
             .access = GR_ACCESS_OPEN)

extern const struct gr_field sb_page_query[];
