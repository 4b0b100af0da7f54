/*
 * Requests and replies, between listeners and the rest of the core. Only http/civetweb.c and
 * http/civetweb_options.c use types of CivetWeb.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#define GRC_HEADERS_MAX 64
#define GRC_PEER_SIZE 64

struct grc_conn; /* the connection of a request */

/* A request whose framing has been checked. Slices live until the request ends. */
struct grc_request {
    struct grc_conn *conn;
    void *served_by;       /* for the handler, between serve and done */
    enum gr_method method; /* HEAD arrives as GET with .head; OPTIONS as 0 with .options */
    bool head;
    bool options;
    gr_str method_text;
    gr_str path;  /* not decoded */
    gr_str query; /* not decoded, without '?' */
    struct gr_pair headers[GRC_HEADERS_MAX];
    size_t header_count;
    int64_t content_length; /* -1: chunked; 0: no body */
    bool expect_continue;
    bool http_1_0;
    bool tls;
    char peer[GRC_PEER_SIZE]; /* address as text */
    const char *proxied_for;  /* the address that the PROXY protocol named; "" or NULL: none */
    bool admin;               /* came in on the admin listener */
    bool leaving;             /* the gateway is going to stop, and probes are told so */
    bool late;                /* its connection was made after the gateway had begun to drain */
    const char *overload;     /* why it is refused before its body is read; NULL: it is not */
    int64_t started_us;       /* monotonic */
    int64_t waited_us;        /* until then, for a worker */
    /* Framing failure found by the adapter: answered in the owning group's format, then closed. */
    enum gr_err broken;
    const char *broken_reason;
};

gr_str grc_request_header(const struct grc_request *request, const char *name);
/* Returns how many headers have this name; *ret_first gets the value of the first one, and is left
 * as it is when there is none. */
size_t grc_request_header_count(const struct grc_request *request, const char *name,
                                gr_str *ret_first);

/* An answer. Head and body are sent in one write if they are small. */
struct grc_reply {
    int status; /* 0: no reply yet */
    const char *content_type;
    struct gr_pair headers[32];
    size_t header_count;
    gr_str body;
    bool close;       /* close the connection afterwards */
    bool cut;         /* for test doubles: close after cut_after bytes */
    size_t cut_after; /* bytes of head and body; 0: send nothing */
};

/* Reads the whole body into buf (whose max_bytes is the limit) before the deadline (monotonic ms).
 * On a fiber the wait does not block a thread. Fails with GR_ERR_TOO_LARGE, GR_ERR_TIMEOUT,
 * GR_ERR_BAD_REQUEST (malformed chunks, early end), GR_ERR_OVERLOAD (too much memory in incomplete
 * bodies), GR_ERR_CANCELLED or GR_ERR_NO_MEMORY. The listener closes a connection whose body was
 * not read to its end. */
enum gr_err grc_conn_read_body(struct grc_request *request, struct grc_buf *buf,
                               int64_t deadline_ms);
/* Counts the requests that a worker runs. To be called, between serve and done, when the fiber of a
 * request goes on (true) or parks (false). */
void grc_conn_runs(const struct grc_request *request, bool runs);
/* True once the request's listener has given up its requests, since its time to drain is over. The
 * waits of the request are cancelled then. In the process of an isolated group a request has no
 * listener: it is never given up there, and its client never leaves. */
bool grc_request_given_up(const struct grc_request *request);
/* Whether the client has left: it has closed the connection, or it has ended its sending and the
 * request can safely be repeated (GET, HEAD). Costs a system call. */
bool grc_conn_gone(const struct grc_request *request);
