/* The process that serves. run.c starts it, waits for signals and stops it; reload.c applies the
 * config again. For the main thread only. */
#pragma once

#include "server/gateway.h"
#include "server/status.h"

struct grc_admin_socket;

struct grc_server {
    const char *config_dir;
    struct grc_gateway *gateway;
    struct grc_http *http;
    struct grc_http *admin;          /* NULL: none configured */
    struct grc_admin_socket *socket; /* NULL: it could not be made */
    struct grc_reload_state reloads;
    json_t *config; /* values of the current config, to find the changes of a reload */
    bool stopping;
    int signals; /* a signalfd */
    int64_t began_ms;
};

/* Applies the config again, and tells the service manager. Returns the outcome for the client of
 * the admin socket: {"ok": true, "changed", …}, or {"ok": false, "problems"}. New reference; NULL
 * without memory. */
json_t *grc_server_reload(struct grc_server *server);
