/* What is known of the loaded plugins, as metrics. */
#pragma once

#include "plugin/plugin.h"

#include "base/buf.h"

/* Appends version, build id, generation and time of loading of each plugin that serves, and how
 * many modules are mapped. */
void grc_plugins_report(struct grc_plugin *const *plugins, size_t count, struct grc_buf *out);
