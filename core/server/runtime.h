/*
 * A runtime: everything made from one reading of the config (plugins, router, upstreams, store).
 * Immutable while it serves; a reload makes a new one, swaps it in, and retires the old one when
 * its last call has ended. Reference-counted.
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
    struct grc_auth *auth;     /* auth/callers.h; NULL at stage GRC_RUNTIME_TABLES */
    struct grc_limits *limits; /* guard/limits.h; likewise */
    _Atomic unsigned refs;
};

enum grc_runtime_stage {
    GRC_RUNTIME_TABLES = 1, /* config and plugin tables: routes, docs */
    GRC_RUNTIME_COMMAND,    /* the same for a plugin's command, which calls no upstream */
    GRC_RUNTIME_CHECK,      /* the same and everything that can be checked without side effects */
    GRC_RUNTIME_SERVE,      /* store open and migrated, init and start done */
};

/* How a reported line begins that is about a plugin which may be missing. */
#define GRC_LEFT_OUT "left out: "

/*
 * Builds a runtime up to a stage. NULL when the config or a plugin is wrong (each problem
 * reported). Plugins that on_error = "skip" leaves out are reported too, and keep their state and
 * reason.
 */
struct grc_runtime *grc_runtime_new(const char *config_dir, enum grc_runtime_stage stage,
                                    grc_report_fn *report, void *arg);
/* Takes a runtime of stage GRC_RUNTIME_CHECK to GRC_RUNTIME_SERVE. On failure (reported) everything
 * that was begun has been undone, and the runtime is only good for grc_runtime_unref(). */
bool grc_runtime_serve(struct grc_runtime *runtime, grc_report_fn *report, void *arg);
/* Ends the timers of all plugins, before the last reference goes. */
void grc_runtime_quiet(struct grc_runtime *runtime);
/* Makes the state directory and opens the configured store, unless it is open. No migrations.
 * false: reported why. */
bool grc_runtime_open_store(struct grc_runtime *runtime, grc_report_fn *report, void *arg);
struct grc_runtime *grc_runtime_ref(struct grc_runtime *runtime);
/* The last one stops and frees the plugins: not for worker threads, see grc_runtime_refs(). */
void grc_runtime_unref(struct grc_runtime *runtime);
/* Drops a reference that cannot be the last one. */
void grc_runtime_release(struct grc_runtime *runtime);
unsigned grc_runtime_refs(const struct grc_runtime *runtime);
