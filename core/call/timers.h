/* Runs the timers of plugins, each on a thread of its own, from the plugin's start to its stop. */
#pragma once

#include "plugin/plugin.h"

/* Starts all timers of a started plugin; each runs for the first time after its interval. Returns
 * GR_ERR_NO_MEMORY when a thread cannot be started, and then no timer runs. */
enum gr_err grc_plugin_timers_start(struct grc_plugin *plugin);
/* Lets running timers finish and joins their threads. */
void grc_plugin_timers_stop(struct grc_plugin *plugin);
/* From now on the upstream calls of all timers are cancelled, since the process ends. Thread-safe.
 */
void grc_plugin_timers_give_up(void);
/* Whether that was done; arg is not used. */
bool grc_plugin_timers_given_up(void *arg);
/* Called after the stop, when no handler of the plugin runs any more. */
void grc_plugin_timers_free(struct grc_plugin *plugin);
/* Makes a timer run now. Thread-safe. Unknown names are ignored. */
void grc_plugin_timers_wake(struct grc_plugin *plugin, const char *name);
