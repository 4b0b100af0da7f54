/* Builds a runtime from a config directory, starts it, and frees it. */
#pragma once

#include "runtime/runtime.h"

enum grc_runtime_stage {
    GRC_RUNTIME_TABLES = 1, /* config and plugin tables: routes, docs */
    GRC_RUNTIME_COMMAND,    /* the same for a plugin's command, which calls no upstream */
    GRC_RUNTIME_GROUP,      /* the same in the process of an isolated group */
    GRC_RUNTIME_READY,      /* the same and all that grc_runtime_serve() needs, without effects */
    GRC_RUNTIME_CHECK,      /* the same, and migrations are tried on a database in memory */
    GRC_RUNTIME_SERVE,      /* store open and migrated, init and start done */
};

/* The begin of a reported line about a plugin without which the gateway starts. */
#define GRC_LEFT_OUT "left out: "

/*
 * Builds a runtime up to a stage. Reports all problems of the config and the plugins, and returns
 * NULL if there are any. With on_error = "skip", plugins with problems are reported and left out;
 * they keep their state and reason.
 */
struct grc_runtime *grc_runtime_new(const char *config_dir, enum grc_runtime_stage stage,
                                    grc_report_fn *report, void *arg);
/* Whether the migrations of the plugins work, before any of them has an effect. Tries them on a
 * database in memory, except those that an existing file of the store has recorded. Reports those
 * that do not work. */
bool grc_runtime_try(struct grc_runtime *runtime, grc_report_fn *report, void *arg);
/* Takes a runtime from GRC_RUNTIME_READY to GRC_RUNTIME_SERVE. On failure it reports the reason,
 * undoes everything, and the runtime can only be released. */
bool grc_runtime_serve(struct grc_runtime *runtime, grc_report_fn *report, void *arg);
/* Stops the timers of all plugins, which must happen before the last reference is released. */
void grc_runtime_quiet(struct grc_runtime *runtime);
/* Makes the state directory and opens the configured store, unless it is open. Runs no migrations.
 * Returns false after reporting the reason. */
bool grc_runtime_open_store(struct grc_runtime *runtime, grc_report_fn *report, void *arg);
/* For a runtime that only answers questions: reads the API keys, when they are in the store, from
 * its tables as they are. Returns false after reporting the reason. */
bool grc_runtime_read_keys(struct grc_runtime *runtime, grc_report_fn *report, void *arg);
/* Logs a reported line. It is a grc_report_fn: a warning when a plugin was left out, else an error.
 */
void grc_runtime_log(void *arg, const char *line);
/* The number of groups that were loaded from files. */
size_t grc_runtime_group_count(const struct grc_runtime *runtime);
/* The release of the last reference stops and frees the plugins: not for worker threads, see
 * grc_runtime_refs(). */
void grc_runtime_unref(struct grc_runtime *runtime);
