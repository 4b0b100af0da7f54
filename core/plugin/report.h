/* Metrics of the loaded plugins. */
#pragma once

#include "plugin/plugin.h"

#include "base/buf.h"

/* Appends version, build id, generation and loading time of each plugin that serves, and the number
 * of modules that are mapped. */
void grc_plugins_report(struct grc_plugin *const *plugins, size_t count, struct grc_buf *out);
