/*
 * Connections to an upstream for the gateway's own HTTP/1.1. libcurl makes them: it resolves the
 * name, tries the addresses, connects through the proxy, and does TLS. Bytes are then sent and
 * received on the socket, or through libcurl when the connection has TLS or a proxy. A connection
 * is used by one call at a time.
 */
#pragma once

#include "upstream/idle.h"
#include "upstream/internal.h"

#include "loop/wait.h"

struct grc_connection {
    struct grc_idle idle; /* the first member, so that it can be cast back */
    int fd;
    CURL *easy;              /* sends and receives; NULL: the socket is used directly */
    CURLM *multi;            /* has the easy handle as long as it lives */
    struct grc_watch *watch; /* NULL: the loop does not watch the socket */
    int64_t born_ms;         /* monotonic */
    int64_t idle_max_ms;     /* how long it may be unused, as the upstream's last answer said */
    bool reused;             /* it has had an answer before */
    bool drained;            /* the last receive took all that had come */
};

enum grc_io { GRC_IO_DONE = 1, GRC_IO_AGAIN, GRC_IO_CLOSED, GRC_IO_FAILED };

/* Sends what it can. Returns GRC_IO_DONE with the count, or GRC_IO_AGAIN when it has to wait. */
enum grc_io grc_connection_send(struct grc_connection *connection, gr_str bytes, size_t *ret_sent);
/* Receives what has come. Returns GRC_IO_DONE with the count, GRC_IO_AGAIN when it has to wait, or
 * GRC_IO_CLOSED at the proper end of the stream. */
enum grc_io grc_connection_receive(struct grc_connection *connection, char *bytes, size_t max,
                                   size_t *ret_count);
/* Waits until sending or receiving may be possible again. */
enum grc_woken grc_connection_wait(struct grc_connection *connection, uint32_t events,
                                   int64_t deadline_ms);

/* Takes an unused connection that is still good; NULL when there is none. repeatable: the request
 * may be sent again when the connection turns out to be dead. */
struct grc_connection *grc_connection_take(struct grc_upstream *upstream, bool repeatable);
/* Keeps a connection for the next call. */
void grc_connection_give(struct grc_upstream *upstream, struct grc_connection *connection);
/* Frees all unused connections. */
void grc_connections_free(struct grc_upstream *upstream);
/* NULL is fine. */
void grc_connection_free(struct grc_connection *connection);

/*
 * Makes a new connection. Waits for it until deadline_ms, but no longer than the upstream's
 * connect_timeout. Returns NULL on failure, with the reason in *ret_outcome.
 */
struct grc_connection *grc_connect(struct grc_upstream *upstream,
                                   const struct grc_exchange *exchange, int64_t deadline_ms,
                                   struct grc_outcome *ret_outcome);
