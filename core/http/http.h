/* HTTP listeners. One grc_http has its own workers, its own loop and its own CivetWeb context. */
#pragma once

#include "config/settings.h"
#include "http/message.h"

struct grc_http;

/* Serves one request: fills reply (its slices must live until done(arg, …) ran). Called on fibers
 * (loop/fiber.h) of workers, concurrently; request->served_by is the handler's own meanwhile. */
struct grc_http_handler {
    void (*serve)(void *arg, struct grc_request *request, struct grc_reply *reply);
    /* After the reply was written: sent_bytes, ok = false when writing failed. */
    void (*done)(void *arg, struct grc_request *request, struct grc_reply *reply, size_t sent_bytes,
                 bool ok);
    /* For the log: a connection ended without a request. status 0: its TLS handshake failed; 400:
     * it spoke HTTP where TLS was expected, and was told so. May be NULL. */
    void (*refused)(void *arg, const char *peer, int status, const char *reason);
    void *arg;
};

/* Prepares the library; once, before threads. */
void grc_http_global_init(void);
/* What was not checked with this version of libcivetweb, as a static text; NULL when the version is
 * one that the requests' checks (see http/framing.h) were tried with. */
const char *grc_http_unchecked(const char *version);
/* Warns in the log when the linked version is not one of those, unless server.civetweb is "any". */
void grc_http_warn_unchecked(const struct grc_settings *settings);

/* Whether listeners could speak the TLS that settings want, if any does. false with a reason
 * (malloc'ed). */
bool grc_http_check(const struct grc_settings *settings, char **ret_reason);

/* Starts listening. NULL with a one-line reason (malloc'ed) in ret_reason: "127.0.0.1:8080: address
 * already in use". */
struct grc_http *grc_http_start(const struct grc_listen *listen, size_t count, int64_t workers,
                                bool admin, const struct grc_settings *settings,
                                const struct grc_http_handler *handler, char **ret_reason);
/* Stops accepting; keep-alive connections are closed after their current request. */
void grc_http_drain(struct grc_http *http);
/* Takes over what settings say about TLS; listeners stay as they are. false with a reason
 * (malloc'ed): nothing changed. On the thread that started it. */
bool grc_http_reload(struct grc_http *http, const struct grc_settings *settings, char **ret_reason);
/* To be called every second or so on that thread: takes over certificate files that changed. false
 * when there are none to watch. */
bool grc_http_watch(struct grc_http *http);
/* Requests being served now. */
unsigned grc_http_active(const struct grc_http *http);
unsigned grc_http_workers(const struct grc_http *http);
/* Connections of clients, idle ones included. */
unsigned grc_http_connections(const struct grc_http *http);
/* The port of the index-th listener, after start. */
unsigned grc_http_port(const struct grc_http *http, size_t index);
/* Cancels what is still being served and waits for the workers. */
void grc_http_stop(struct grc_http *http);
/* After grc_http_stop(), and after everything that waited in its loop was freed: connections to
 * upstreams are. NULL is fine. */
void grc_http_free(struct grc_http *http);
/* "1.15", and what the linked library can do, for --version and start-up errors. */
const char *grc_http_library(void);
bool grc_http_has_ipv6(void);
