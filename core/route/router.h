/*
 * Finds the route of a method and raw path. Built once, then read-only and thread-safe.
 *
 * The raw path is split at '/', then each segment is decoded: "%2F" never makes a segment. A
 * literal segment wins over a parameter; the choice backtracks, so "/a/b/c" finds "/a/{x}/c"
 * although
 * "/a/b" exists. One trailing slash is accepted. Empty inner segments, "." and ".." never match.
 */
#pragma once

#include "plugin/plugin.h"

#define GRC_PARAMS_MAX 8

struct grc_router;

struct grc_match {
    const struct grc_route *route; /* NULL: see err */
    enum gr_err err;  /* GR_OK, GR_ERR_NOT_FOUND, GR_ERR_METHOD, GR_ERR_BAD_REQUEST (bad escape) */
    unsigned allowed; /* bit 1 << enum gr_method for each method the path has */
    struct gr_pair params[GRC_PARAMS_MAX + 1]; /* decoded, NUL-terminated, in the arena */
    size_t param_count;
    /* Who renders the error when no route matched; NULL: the host's own format. */
    struct grc_plugin *owner;
};

struct grc_router *grc_router_new(void);
/* Adds a route under its path and alias. false: the same method and shape exists; *ret_other is
 * that route. */
bool grc_router_add(struct grc_router *router, const struct grc_route *route,
                    const struct grc_route **ret_other);
/* Declares a plugin's prefixes for unmatched paths; the longest one wins. */
void grc_router_own(struct grc_router *router, struct grc_plugin *plugin, const char *prefix);
void grc_router_match(const struct grc_router *router, enum gr_method method, gr_str raw_path,
                      struct grc_arena *arena, struct grc_match *ret_match);
void grc_router_free(struct grc_router *router);
