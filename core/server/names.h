/* Checks that upstreams, routes and scopes which the config and the plugins name exist. */
#pragma once

#include "server/lifecycle.h"

/* Checks the upstreams that the routes, options and functions of a plugin name. Drops the plugin
 * (see grc_plugin_drop()) at the first that is missing. */
bool grc_names_check_upstreams(struct grc_plugin *plugin, const struct grc_settings *settings,
                               const struct grc_reporter *reporter);
/*
 * Checks the routes and scopes that greenroom.json names against those of all plugins. "GROUP.verb"
 * and "GROUP:action" may be unknown as long as GROUP is configured but not loaded. Returns false
 * after reporting every other unknown name.
 */
bool grc_names_check_config(const struct grc_runtime *runtime, const struct grc_reporter *reporter);
