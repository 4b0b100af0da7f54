/* HTTP listeners. One grc_http has its own workers, its own loop and its own CivetWeb context. */
#pragma once

#include "config/settings.h"
#include "http/message.h"

struct grc_http;

/* Called on fibers (loop/fiber.h) of workers, concurrently. */
struct grc_http_handler {
    /* Serves one request: fills reply, whose slices must live until done() has run. The handler may
     * use request->served_by until then. */
    void (*serve)(void *arg, struct grc_request *request, struct grc_reply *reply);
    /* Called after the reply was written; ok is false if writing failed. */
    void (*done)(void *arg, struct grc_request *request, struct grc_reply *reply, size_t sent_bytes,
                 bool ok);
    /* Called for a connection that ended without a request, for the log. status 0: the TLS
     * handshake failed; 400: the client sent HTTP to an HTTPS port and got an answer. May be NULL.
     */
    void (*refused)(void *arg, const char *peer, int status, const char *reason);
    void *arg;
};

/* Initialises CivetWeb. Call it once, before there are threads. */
void grc_http_global_init(void);
/* Returns NULL if the checks of http/framing.h were tested with this version of libcivetweb, else a
 * static text that says what was not tested. */
const char *grc_http_unchecked(const char *version);
/* Logs a warning if they were not tested with the linked version, unless server.civetweb is "any".
 */
void grc_http_warn_unchecked(const struct grc_settings *settings);

/* Checks the addresses and the TLS files of the listeners. On failure returns false with a reason
 * (malloc'ed). */
bool grc_http_check(const struct grc_settings *settings, char **ret_reason);

/* Tries to bind an address. On failure returns false with a reason (malloc'ed), which has the
 * process that uses the port, if that is known. */
bool grc_http_try(const struct grc_listen *listen, char **ret_reason);

/* Starts listening. On failure returns NULL with a reason of one line (malloc'ed), such as
 * "127.0.0.1:8080: Address already in use, by process 812 (nginx)". */
struct grc_http *grc_http_start(const struct grc_listen *listen, size_t count, int64_t workers,
                                bool admin, const struct grc_settings *settings,
                                const struct grc_http_handler *handler, char **ret_reason);
/*
 * The three steps of a stop, in this order; each is called once, by the thread that started it.
 *
 * grc_http_leave(): requests are served as before, but answers close their connections, and
 * requests are marked as leaving, so that /readyz fails.
 */
void grc_http_leave(struct grc_http *http);
/*
 * Closes idle connections; those that were used within the last second are closed a second later or
 * after their next request, which may be on its way. Requests that clients have sent are served;
 * requests on connections that are made from now on are marked as late.
 */
void grc_http_drain(struct grc_http *http);
/* Number of connections that were made before the drain and are not finished: a request is being
 * served or may still come. */
unsigned grc_http_unfinished(const struct grc_http *http);
/*
 * Stops accepting clients, cancels the requests that are still being served (they get 503), and
 * waits for the workers. Returns false if a request still blocks its worker after half a second: as
 * the workers still run, nothing may be freed, and the caller must end the process. NULL is
 * allowed.
 */
bool grc_http_stop(struct grc_http *http);
/* Prepares the TLS settings of a new config, without effect on the listeners. On failure returns
 * false with a reason (malloc'ed). Call it on the thread that started http. */
bool grc_http_prepare(struct grc_http *http, const struct grc_settings *settings,
                      char **ret_reason);
/* Takes the prepared TLS settings into use, or drops them. NULL is allowed. */
void grc_http_settle(struct grc_http *http, bool take_over);
/* Loads certificate files that have changed. To be called about every second on that thread.
 * Returns false if there are none to watch. */
bool grc_http_watch(struct grc_http *http);
/* Number of requests that are being served. */
unsigned grc_http_active(const struct grc_http *http);
unsigned grc_http_workers(const struct grc_http *http);
/* Number of client connections, including idle ones. */
unsigned grc_http_connections(const struct grc_http *http);
/* The actual port of a listener, after start. */
unsigned grc_http_port(const struct grc_http *http, size_t index);
/* Call it after grc_http_stop(), and after everything that uses its loop was freed, such as
 * connections to upstreams. NULL is allowed. */
void grc_http_free(struct grc_http *http);
/* The version of the linked library, such as "1.15", and whether it has IPv6. */
const char *grc_http_library(void);
bool grc_http_has_ipv6(void);
