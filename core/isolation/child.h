/* The process of an isolated group: takes calls off the socket, runs the plugin's functions, sends
 * what became of them. */
#pragma once

#include "plugin/plugin.h"

/* From here on the metrics of this process are sent to the gateway, which counts them. Call it
 * before there are threads. */
void grc_child_begin(int socket);
/* Sets the limits of the process. false: one of them cannot be set, which the log says. */
bool grc_child_limit(const struct grc_process_settings *settings);
/* After init and start: serves until the gateway tells it to end, or is gone. false: it could not
 * begin. */
bool grc_child_serve(struct grc_plugin *plugin);
