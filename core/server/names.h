/* References by name: what the config and the plugins name must be there. */
#pragma once

#include "server/lifecycle.h"

/* Upstreams that a plugin's routes, options and functions name. Drops the plugin (see
 * grc_plugin_drop()) at the first that is missing. */
bool grc_names_check_upstreams(struct grc_plugin *plugin, const struct grc_settings *settings,
                               const struct grc_reporter *reporter);
/*
 * Routes and scopes that greenroom.json names, against those of all plugins. A name that belongs to
 * a group which is configured and not loaded is no problem: "GROUP.verb" or "GROUP:action" is said
 * to be of GROUP. false: every name that is unknown was reported.
 */
bool grc_names_check_config(const struct grc_runtime *runtime, const struct grc_reporter *reporter);
