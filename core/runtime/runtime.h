/*
 * A runtime: everything made from one reading of the config (plugins, router, upstreams, store).
 * Immutable while it serves; a reload makes a new one, swaps it in, and retires the old one when
 * its last call has ended. Reference-counted. server/runtime_build.h makes and frees it.
 */
#pragma once

#include "plugin/plugin.h"
#include "route/router.h"
#include "store/store.h"
#include "upstream/upstream.h"

struct grc_runtime {
    struct grc_settings *settings;
    struct grc_upstreams *upstreams;
    struct grc_store *store; /* NULL when no plugin needs one */
    struct grc_router *router;
    struct grc_router *admin_router; /* health, readiness, metrics */
    struct grc_plugin **plugins;     /* all, also those that did not load; builtin ones first */
    size_t plugin_count;
    size_t route_count;
    struct grc_auth *auth;           /* auth/callers.h; NULL at stage GRC_RUNTIME_TABLES */
    struct grc_limits *limits;       /* guard/limits.h; likewise */
    struct grc_documents *documents; /* doc/documents.h; likewise */
    _Atomic unsigned refs;
};

struct grc_runtime *grc_runtime_ref(struct grc_runtime *runtime);
/* Drops a reference that cannot be the last one: the last one stops plugins, which a worker thread
 * must not do. See grc_runtime_unref() in server/runtime_build.h. Thread-safe, as are all here. */
void grc_runtime_release(struct grc_runtime *runtime);
/* Drops a reference. true: it was the last one, and the caller has to free the runtime. */
bool grc_runtime_drop(struct grc_runtime *runtime);
unsigned grc_runtime_refs(const struct grc_runtime *runtime);
