/* A gateway in the process of a fuzz target, with a listener and groups. The bytes of a client pass
 * through all parts of it, from the connection to the handlers and back. */
#pragma once

#include <greenroom/plugin.h>

/* The file NAME.json in plugins.d. */
struct live_group {
    const char *name;
    const char *text;
};

/*
 * Starts the gateway and returns the port of its listener. config: greenroom.json without listeners
 * and directories, which are added; groups end with a name that is NULL, and their libraries are in
 * GR_PLUGIN_DIR. It stops when the process ends in order. Ends the process when it cannot start.
 */
unsigned live_start(const char *config, const struct live_group *groups);
/* Makes a listening socket on loopback. Returns its descriptor. */
int live_listen(unsigned *ret_port);
/*
 * Sends bytes on a connection of its own, ends the sending side, and reads until the gateway
 * closes. The result is valid until the next call. Aborts when the gateway takes longer than ten
 * seconds, and when something comes back that is not an answer of HTTP/1.1, or one with status 500.
 * may_be_500: it is the upstream's, and passed on.
 */
gr_str live_send(gr_str bytes, bool may_be_500);
/* Like live_send(), with a POST of this body. headers are further header lines, each with its line
 * end. */
gr_str live_post(const char *path, const char *headers, gr_str body);
/* Returns the status of the first answer, or 0 when there was none. */
int live_status(gr_str answers);
