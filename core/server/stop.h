/* Stops a gateway that serves, within a limited time. */
#pragma once

#include "server/gateway.h"

struct grc_stop {
    struct grc_http *http;
    struct grc_http *admin; /* NULL: none */
    struct grc_gateway *gateway;
    const char *signal; /* its name, for the log */
    /* Waits at most for the timeout, and does the other duties of the calling thread. Returns true
     * if the stop was requested a second time: the operator does not want to wait. */
    bool (*wait)(void *arg, int timeout_ms);
    void *arg;
};

/*
 * Stops in three steps, and frees everything. First, for server.drain_delay, requests are served as
 * before, but /readyz fails and answers close their connections. Then, for at most
 * server.drain_timeout, idle connections are closed, new ones are refused, and the requests that
 * clients have sent are served. Requests that still wait after that get 503.
 *
 * Runs of timers of plugins get the same time to end. If requests still block their workers a
 * second later, the log names their groups, and the process ends here with status 0, without
 * stopping the plugins. The same happens when plugins take more than two seconds to stop.
 */
void grc_stop(const struct grc_stop *stop);
