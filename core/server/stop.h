/* The end of a gateway that serves: it is announced, drained and bounded in time. */
#pragma once

#include "server/gateway.h"

struct grc_stop {
    struct grc_http *http;
    struct grc_http *admin; /* NULL: none */
    struct grc_gateway *gateway;
    const char *signal; /* by name, for the log */
    /* Waits for so long at most, and does meanwhile what the calling thread has to do otherwise.
     * true: whoever stops the gateway asked again, and does not want to wait. */
    bool (*wait)(void *arg, int timeout_ms);
    void *arg;
};

/*
 * Stops in three steps, and frees all of it. For server.drain_delay everything is served as before
 * while /readyz is red and answers close their connections. Then idle connections are closed, new
 * ones are refused, and what clients have sent is served, for server.drain_timeout. What waits then
 * gets 503.
 *
 * Timers of plugins have the same time for what they do. What does not return, a second
 * later, holds nothing up: the process ends with status 0 from
 * here, without stopping the plugins, and the log says which groups it was. The same happens when
 * plugins take more than two seconds to stop.
 */
void grc_stop(const struct grc_stop *stop);
