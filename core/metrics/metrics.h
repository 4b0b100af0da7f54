/* Figures. Counting is lock-free and thread-safe. */
#pragma once

#include "plugin/plugin.h"

/* Adds to a figure of a plugin's own; unknown names are ignored with one warning. */
void grc_metrics_plugin_add(const struct grc_plugin *plugin, const char *name, const char *label,
                            int64_t delta);
