/*
 * A runtime: everything made from one reading of the config (plugins, router, upstreams, store).
 * Immutable while it serves. A reload makes a new runtime, swaps it in, and retires the old one
 * when its last call has ended. Reference-counted; server/runtime_build.h makes and frees it.
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
    struct grc_plugin **plugins;     /* all, also those that did not load; built-in ones first */
    size_t plugin_count;
    size_t route_count;
    struct grc_auth *auth;           /* auth/callers.h; NULL at stage GRC_RUNTIME_TABLES */
    struct grc_limits *limits;       /* guard/limits.h; likewise */
    struct grc_tracer *tracer;       /* trace/tracer.h; NULL: nothing is recorded */
    struct grc_exporter *exporter;   /* otlp/exporter.h; from GRC_RUNTIME_SERVE on, with a tracer */
    struct grc_documents *documents; /* doc/documents.h; likewise */
    struct grc_keeper *keeper;       /* idempotency/keeper.h; NULL: no group takes keys */
    _Atomic unsigned refs;
};

struct grc_runtime *grc_runtime_ref(struct grc_runtime *runtime);
/* Drops a reference that is not the last one; for worker threads. Dropping the last one stops the
 * plugins, which a worker must not do: see grc_runtime_unref() in server/runtime_build.h.
 * Thread-safe, like all functions here. */
void grc_runtime_release(struct grc_runtime *runtime);
/* Drops a reference. Returns true when it was the last one: the caller then frees the runtime. */
bool grc_runtime_drop(struct grc_runtime *runtime);
unsigned grc_runtime_refs(const struct grc_runtime *runtime);
