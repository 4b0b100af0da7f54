/* A runtime's plugins, from loaded to serving and back. Not thread-safe: one thread does all of it.
 */
#pragma once

#include "server/runtime_build.h"

/* Where problems are said, and whether they are the end. */
struct grc_reporter {
    grc_report_fn *report;
    void *arg;
    bool skips; /* plugins.on_error = "skip" */
};

void grc_say(const struct grc_reporter *reporter, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Notes that a plugin cannot take part, and says so. Returns true when that may be overlooked. */
bool grc_plugin_drop(const struct grc_reporter *reporter, struct grc_plugin *plugin,
                     enum grc_load_state state, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* (Re)builds the routers from the plugins that are GRC_LOAD_OK. Clashing plugins are dropped.
 * false: without memory, or a clash that must not be overlooked. */
bool grc_runtime_route(struct grc_runtime *runtime, const struct grc_reporter *reporter);

/* init in order, start in order, then timers. On failure what was begun is undone in reverse. */
bool grc_plugins_begin(struct grc_runtime *runtime, const struct grc_reporter *reporter);
/* stop and fini in reverse order, of those that got so far. */
void grc_plugins_end(struct grc_runtime *runtime);
