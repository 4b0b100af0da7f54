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
/* Warns in the log when there are fewer descriptors than the settings want. */
void grc_http_warn_descriptors(const struct grc_settings *settings);

/* Checks the addresses and the TLS files of the listeners. On failure returns false with a reason
 * (malloc'ed). */
bool grc_http_check(const struct grc_settings *settings, char **ret_reason);

/* Tries to bind an address. On failure returns false with a reason (malloc'ed), which has the
 * process that uses the port, if that is known. */
bool grc_http_try(const struct grc_listen *listen, char **ret_reason);

/* Starts listening. NULL with a one-line reason (malloc'ed) in ret_reason: "127.0.0.1:8080: Address
 * already in use, by process 812 (nginx)". */
struct grc_http *grc_http_start(const struct grc_listen *listen, size_t count, bool admin,
                                const struct grc_settings *settings,
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
 * Stops accepting clients, gives up requests that are still being served (those that wait get 503),
 * and waits for the workers. Returns false if a request still blocks its worker after a second: the
 * workers then run on, so that nothing may be freed, and the process has to end. NULL is fine.
 */
bool grc_http_stop(struct grc_http *http);
/* Prepares the TLS settings of a new config, without effect on the listeners. On failure returns
 * false with a reason (malloc'ed). Call it on the thread that started http. */
bool grc_http_prepare(struct grc_http *http, const struct grc_settings *settings,
                      char **ret_reason);
/* Takes the prepared TLS settings into use, or drops them. NULL is allowed. */
void grc_http_settle(struct grc_http *http, bool take_over);
/* Loads certificate files that have changed. To be called about every second on the thread that
 * started http. Returns false if there are none to watch. */
bool grc_http_watch(struct grc_http *http);
/* When the certificate of HTTPS listeners ends, in seconds since the epoch; 0: there is none.
 * Thread-safe. */
int64_t grc_http_certificate_end_s(void);
/* Number of requests that are being served. */
unsigned grc_http_active(const struct grc_http *http);
unsigned grc_http_workers(const struct grc_http *http);
/* Number of client connections, including idle ones. */
unsigned grc_http_connections(const struct grc_http *http);
/* Of the connections: those in a TLS handshake or in the middle of a head; those with a request;
 * those whose last answer has left; all others. */
struct grc_http_connections {
    unsigned receiving;
    unsigned request;
    unsigned closing;
    unsigned idle;
};
void grc_http_connections_by_state(const struct grc_http *http, struct grc_http_connections *ret);
/* Requests that a worker runs, and requests whose head waits for a worker. */
unsigned grc_http_running(const struct grc_http *http);
unsigned grc_http_queued(const struct grc_http *http);
/* The port of the index-th listener, after start. */
unsigned grc_http_port(const struct grc_http *http, size_t index);
/* Call it after grc_http_stop(), and after everything that uses its loop was freed, such as
 * connections to upstreams. NULL is allowed. */
void grc_http_free(struct grc_http *http);
/* The version of the linked library, such as "1.15", and whether it has IPv6. */
const char *grc_http_library(void);
bool grc_http_has_ipv6(void);
