/* Starts and stops the plugins of a runtime. Not thread-safe. */
#pragma once

#include "server/runtime_build.h"

/* Receives problems, and decides whether they are fatal. */
struct grc_reporter {
    grc_report_fn *report;
    void *arg;
    bool skips; /* plugins.on_error = "skip" */
};

void grc_say(const struct grc_reporter *reporter, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sets the plugin's state and reason, and reports it. Returns true if the runtime may do without
 * it. */
bool grc_plugin_drop(const struct grc_reporter *reporter, struct grc_plugin *plugin,
                     enum grc_load_state state, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same; the message begins with the place and the name of a key in the file of the group. */
bool grc_plugin_drop_at(const struct grc_reporter *reporter, struct grc_plugin *plugin,
                        enum grc_load_state state, const char *key, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* (Re)builds the routers from the plugins that are GRC_LOAD_OK, and drops clashing plugins. Returns
 * false without memory, or if a plugin clashes and the runtime may not do without it. */
bool grc_runtime_route(struct grc_runtime *runtime, const struct grc_reporter *reporter);

/* Calls all init functions, then all start functions, then starts the timers. On failure undoes
 * everything in reverse order. */
bool grc_plugins_begin(struct grc_runtime *runtime, const struct grc_reporter *reporter);
/* Calls the stop functions of started plugins and the fini functions of initialised ones, in
 * reverse order. */
void grc_plugins_end(struct grc_runtime *runtime);
