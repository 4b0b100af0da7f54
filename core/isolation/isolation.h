/*
 * Groups whose config says "isolation": "process". The tables of the plugin stay in the gateway,
 * which routes, authorises, checks, forwards and answers by them; each function of the plugin runs
 * in a process that has nothing but that group. A forward row without functions never gets there.
 */
#pragma once

#include "plugin/plugin.h"

#include "base/buf.h"

/* Puts, for each function of a loaded plugin, one that has it called in the process. Before init,
 * which then starts the process. */
void grc_isolation_apply(struct grc_plugin *plugin);
/* Ends the timers in the process of the plugin, if it has one. Thread-safe. */
void grc_isolation_quiet(struct grc_plugin *plugin);
