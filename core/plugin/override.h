/*
 * What an operator may change about a route, in plugins.d/NAME.json:
 *
 *     "routes": {"polls.session_results": {"path": "/polls/{pollId}/results", "select": null,
 *                "upstream": "api", "timeout": "5s", "scope": "polls:read", "cache": "2s",
 *                "enabled": true}}
 */
#pragma once

#include "plugin/plugin.h"

/* Applies the overrides of one plugin to its routes. false with a one-line reason (malloc'ed) that
 * names file, route and key. A route that is switched off gets no row. */
bool grc_override_apply(struct grc_plugin *plugin, char **ret_reason);
