/*
 * Groups whose config says "isolation": "process". The tables of the plugin stay in the gateway,
 * which routes, authorises, checks, forwards and answers with them; each function of the plugin
 * runs in a process that has only that group. A forward row without functions does not need the
 * process.
 */
#pragma once

#include "plugin/plugin.h"

#include "base/buf.h"

/* Replaces each function of a loaded plugin by one that calls it in the process. Call it before
 * init, which then starts the process. */
void grc_isolation_apply(struct grc_plugin *plugin);
/* Ends the timers in the process of the plugin, if it has one. Thread-safe. */
void grc_isolation_quiet(struct grc_plugin *plugin);
