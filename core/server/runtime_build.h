/* Builds a runtime from a config directory, takes it into service, and takes it apart. */
#pragma once

#include "runtime/runtime.h"

enum grc_runtime_stage {
    GRC_RUNTIME_TABLES = 1, /* config and plugin tables: routes, docs */
    GRC_RUNTIME_COMMAND,    /* the same for a plugin's command, which calls no upstream */
    GRC_RUNTIME_GROUP,      /* the same in the process of an isolated group */
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
/* The last one stops and frees the plugins: not for worker threads, see grc_runtime_refs(). */
void grc_runtime_unref(struct grc_runtime *runtime);
