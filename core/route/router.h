/*
 * Finds the route of a method and a raw path. Built once, then read-only and thread-safe. Routes
 * and their texts must outlive it.
 *
 * The raw path is split at '/', then each segment is decoded, so "%2F" does not separate segments.
 * A literal segment wins over a parameter. The search backtracks: "/a/b/c" finds "/a/{x}/c"
 * although "/a/b" exists, and a method that only the route with the parameter has is found there.
 * One trailing slash is accepted. Empty inner segments never match. ".", "..", control characters,
 * bad escapes and broken UTF-8 are GR_ERR_BAD_REQUEST, whether or not the path would match.
 */
#pragma once

#include "plugin/plugin.h"

struct grc_router;

struct grc_match {
    const struct grc_route *route; /* NULL: see err */
    enum gr_err err;  /* GR_OK, GR_ERR_NOT_FOUND, GR_ERR_METHOD, GR_ERR_BAD_REQUEST (bad escape) */
    unsigned allowed; /* bit 1 << enum gr_method for each method the path has */
    struct gr_pair params[GRC_PARAMS_MAX + 1]; /* decoded, NUL-terminated, in the arena */
    size_t param_count;
    /* The plugin that owns the path: that of the route, with GR_ERR_METHOD that of a route with
     * this path, otherwise the one with the prefix. NULL when no plugin owns the path; errors then
     * have the host's format. */
    struct grc_plugin *owner;
};

struct grc_router *grc_router_new(void);
/* Adds a route under its path and alias. Returns false when *ret_other is a route with the same
 * method and shape, or, with *ret_other NULL, when the path is malformed (braces inside a segment,
 * a parameter twice, more than GRC_PARAMS_MAX, "..", '%') or without memory. The router can only be
 * freed then. */
bool grc_router_add(struct grc_router *router, const struct grc_route *route,
                    const struct grc_route **ret_other);
/* Makes a plugin the owner of unmatched paths that begin with the segments of prefix ("" or "/":
 * all paths). The longest prefix wins. Returns false when it is malformed or without memory. */
bool grc_router_own(struct grc_router *router, struct grc_plugin *plugin, const char *prefix);
void grc_router_match(const struct grc_router *router, enum gr_method method, gr_str raw_path,
                      struct grc_arena *arena, struct grc_match *ret_match);
void grc_router_free(struct grc_router *router);
