/*
 * Applies an operator's changes to routes, from plugins.d/NAME.json:
 *
 *     "routes": {"polls.session_results": {"path": "/polls/{pollId}/results", "select": null,
 *                "upstream": "api", "timeout": "5s", "scope": "polls:read", "cache": "2s",
 *                "enabled": true}}
 */
#pragma once

#include "plugin/plugin.h"

/* Applies the overrides of a plugin to its routes, and removes disabled routes. Returns false with
 * a malloc'ed one-line reason that names file, route and key. */
bool grc_override_apply(struct grc_plugin *plugin, char **ret_reason);
