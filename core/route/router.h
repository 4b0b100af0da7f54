/*
 * Finds the route of a method and raw path. Built once, then read-only and thread-safe. Routes and
 * their texts must outlive it.
 *
 * The raw path is split at '/', then each segment is decoded: "%2F" never makes a segment. A
 * literal segment wins over a parameter; the choice backtracks, so "/a/b/c" finds "/a/{x}/c"
 * although "/a/b" exists, and a method that only the parameter's route has is found there. One
 * trailing slash is accepted. Empty inner segments never match; ".", "..", control characters, bad
 * escapes and broken UTF-8 are GR_ERR_BAD_REQUEST, whether or not the path would match.
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
    /* The plugin whose path it is: that of the route, for GR_ERR_METHOD that of a route with this
     * path, else the one with the prefix. NULL when the path is no plugin's, and errors have the
     * host's own format. */
    struct grc_plugin *owner;
};

struct grc_router *grc_router_new(void);
/* Adds a route under its path and alias. false: the same method and shape exists and *ret_other is
 * that route; or *ret_other is NULL and the path is malformed (braces inside a segment, a parameter
 * twice or more than GRC_PARAMS_MAX, "..", '%') or memory is out. After false the router may hold
 * one of the two paths and is only fit to be freed. */
bool grc_router_add(struct grc_router *router, const struct grc_route *route,
                    const struct grc_route **ret_other);
/* Declares a plugin's prefix for unmatched paths ("" or "/": all of them); the longest one wins,
 * cut at segments. false: malformed, or no memory. */
bool grc_router_own(struct grc_router *router, struct grc_plugin *plugin, const char *prefix);
void grc_router_match(const struct grc_router *router, enum gr_method method, gr_str raw_path,
                      struct grc_arena *arena, struct grc_match *ret_match);
void grc_router_free(struct grc_router *router);
