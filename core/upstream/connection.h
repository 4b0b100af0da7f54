/*
 * Connections to an upstream over which our own HTTP/1.1 goes. libcurl makes them: it resolves the
 * name, tries the addresses, goes through the proxy, and does the TLS. The bytes of a plain
 * connection are then moved on its socket; those of one with TLS or a proxy by libcurl. A
 * connection is used by one call at a time.
 */
#pragma once

#include "upstream/idle.h"
#include "upstream/internal.h"

#include "loop/wait.h"

struct grc_connection {
    struct grc_idle idle; /* first, so that it is the connection's own address */
    int fd;
    CURL *easy;              /* moves the bytes; NULL: they go over the socket itself */
    CURLM *multi;            /* holds the easy handle for as long as it lives */
    struct grc_watch *watch; /* NULL: the loop does not watch the socket */
    int64_t born_ms;         /* monotonic */
    int64_t idle_max_ms;     /* how long it may rest, by the upstream's last word */
    bool reused;             /* has carried an answer already */
};

enum grc_io { GRC_IO_DONE = 1, GRC_IO_AGAIN, GRC_IO_CLOSED, GRC_IO_FAILED };

/* Sends what it can. GRC_IO_DONE with the count, GRC_IO_AGAIN: wait for room. */
enum grc_io grc_connection_send(struct grc_connection *connection, gr_str bytes, size_t *ret_sent);
/* GRC_IO_DONE with the count, GRC_IO_AGAIN: wait for more, GRC_IO_CLOSED: in due form. */
enum grc_io grc_connection_receive(struct grc_connection *connection, char *bytes, size_t max,
                                   size_t *ret_count);
/* Waits until it may be worth to send or receive again. */
enum grc_woken grc_connection_wait(struct grc_connection *connection, uint32_t events,
                                   int64_t deadline_ms);

/* One at rest that is still good; NULL: there is none. */
struct grc_connection *grc_connection_take(struct grc_upstream *upstream);
/* Lets it rest until it is wanted again. */
void grc_connection_give(struct grc_upstream *upstream, struct grc_connection *connection);
/* Frees all that rest. */
void grc_connections_free(struct grc_upstream *upstream);
/* NULL is fine. */
void grc_connection_free(struct grc_connection *connection);

/*
 * Makes a new one, waiting for it until deadline_ms or until the upstream's time to connect is
 * over. On failure *ret_outcome tells why and NULL is returned.
 */
struct grc_connection *grc_connect(struct grc_upstream *upstream,
                                   const struct grc_exchange *exchange, int64_t deadline_ms,
                                   struct grc_outcome *ret_outcome);
