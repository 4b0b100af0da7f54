/* The process of an isolated group: reads calls from the socket, runs the plugin's functions, and
 * sends their answers. */
#pragma once

#include "plugin/plugin.h"

/* From here on the metrics of this process are sent to the gateway, which counts them. Call it
 * before there are threads. */
void grc_child_begin(int socket);
/* Sets the limits of the process. Returns false, after a line in the log, when that fails. */
bool grc_child_limit(const struct grc_process_settings *settings);
/* Call it after init and start. Serves until the gateway tells the process to end, or is gone.
 * Returns false when it could not begin. */
bool grc_child_serve(struct grc_plugin *plugin);
