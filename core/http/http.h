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
/* Warns in the log when there are fewer descriptors than the settings want. */
void grc_http_warn_descriptors(const struct grc_settings *settings);

/* Whether listeners could speak the TLS that settings want, if any does. false with a reason
 * (malloc'ed). */
bool grc_http_check(const struct grc_settings *settings, char **ret_reason);

/* Whether this address can be listened on now. false with a reason (malloc'ed), which names the
 * process that has the port where the kernel tells. */
bool grc_http_try(const struct grc_listen *listen, char **ret_reason);

/* Starts listening. NULL with a one-line reason (malloc'ed) in ret_reason: "127.0.0.1:8080: Address
 * already in use, by process 812 (nginx)". */
struct grc_http *grc_http_start(const struct grc_listen *listen, size_t count, bool admin,
                                const struct grc_settings *settings,
                                const struct grc_http_handler *handler, char **ret_reason);
/*
 * The steps of a stop, in their order; each is called once, on the thread that started it.
 *
 * grc_http_leave(): everything is served as before, but answers close their connections, and
 * requests are marked as leaving, so that /readyz is red.
 */
void grc_http_leave(struct grc_http *http);
/*
 * Idle connections are closed. One that was used a moment ago may have the client's next request on
 * its way already; it is closed a second later, or after that request. What clients have sent is
 * served; requests on connections that are made from now on are marked as late.
 */
void grc_http_drain(struct grc_http *http);
/* Connections that were made before it began to drain, and still have something to be answered or
 * to be waited for. */
unsigned grc_http_unfinished(const struct grc_http *http);
/*
 * Takes in no client any more, gives up what is still being served (a request that waits gets 503),
 * and waits for the workers. false: a request holds its worker and does not return, after a
 * second. The workers run still, so that nothing may be freed; only the end of the process is left.
 * NULL is fine.
 */
bool grc_http_stop(struct grc_http *http);
/* Makes ready what settings say about TLS; listeners stay as they are. false with a reason
 * (malloc'ed): it cannot be used. On the thread that started it. */
bool grc_http_prepare(struct grc_http *http, const struct grc_settings *settings,
                      char **ret_reason);
/* What was made ready is taken over, or forgotten. NULL is fine. */
void grc_http_settle(struct grc_http *http, bool take_over);
/* To be called every second or so on that thread: takes over certificate files that changed. false
 * when there are none to watch. */
bool grc_http_watch(struct grc_http *http);
/* Requests being served now. */
unsigned grc_http_active(const struct grc_http *http);
unsigned grc_http_workers(const struct grc_http *http);
/* Connections of clients, idle ones included. */
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
/* Requests that a worker is at, and requests whose head waits for a worker. */
unsigned grc_http_running(const struct grc_http *http);
unsigned grc_http_queued(const struct grc_http *http);
/* The port of the index-th listener, after start. */
unsigned grc_http_port(const struct grc_http *http, size_t index);
/* After grc_http_stop(), and after everything that waited in its loop was freed: connections to
 * upstreams are. NULL is fine. */
void grc_http_free(struct grc_http *http);
/* "1.15", and what the linked library can do, for --version and start-up errors. */
const char *grc_http_library(void);
bool grc_http_has_ipv6(void);
