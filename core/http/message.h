/*
 * What listeners hand up and take back. No CivetWeb type appears here: only http/civetweb.c and its
 * options know the library.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#define GRC_HEADERS_MAX 64

struct grc_conn; /* the adapter's side of a request */

/* A request whose framing has been checked. Slices live until the request ends. */
struct grc_request {
    struct grc_conn *conn;
    void *served_by;       /* the handler's own, from serve to done */
    enum gr_method method; /* HEAD arrives as GET with .head; OPTIONS as 0 with .options */
    bool head;
    bool options;
    gr_str method_text;
    gr_str path;  /* raw */
    gr_str query; /* raw, without '?' */
    struct gr_pair headers[GRC_HEADERS_MAX];
    size_t header_count;
    uint64_t steering;      /* bit i: headers[i] is about the connection or the body's length */
    int64_t content_length; /* -1: chunked; 0: no body */
    bool expect_continue;
    bool http_1_0;
    bool tls;
    char peer[64];        /* address as text */
    const char *proxied_for; /* the address that the PROXY protocol named; "" or NULL: none */
    bool admin;           /* came in on the admin listener */
    bool leaving;         /* the gateway is going to stop, and probes are told so */
    bool late;            /* its connection was made after the gateway had begun to drain */
    const char *overload; /* why it is refused before its body is read; NULL: it is not */
    int64_t started_us;   /* monotonic */
    /* Framing failure found by the adapter: answered in the owning group's format, then closed. */
    enum gr_err broken;
    const char *broken_reason;
};

gr_str grc_request_header(const struct grc_request *request, const char *name);

/* An answer. Head and body leave in one write. */
struct grc_reply {
    int status; /* 0: there is no reply yet */
    const char *content_type;
    struct gr_pair headers[32];
    size_t header_count;
    gr_str body;
    bool close;       /* close the connection after it */
    bool cut;         /* test doubles: stop after cut_after bytes and close */
    size_t cut_after; /* bytes on the wire, head included; 0: no answer at all */
};

/* Reads the whole body into buf (whose max_bytes is the limit) before the deadline (monotonic ms).
 * A caller on a fiber waits without holding up a thread. Fails with GR_ERR_TOO_LARGE,
 * GR_ERR_TIMEOUT, GR_ERR_BAD_REQUEST (broken chunks, early end), GR_ERR_OVERLOAD (too many workers
 * wait for bodies) or GR_ERR_NO_MEMORY. After a failure, and when the call did not read the body,
 * the connection must be closed, which the adapter does. */
enum gr_err grc_conn_read_body(struct grc_request *request, struct grc_buf *buf,
                               int64_t deadline_ms);
/* The fiber of a request goes on, or parks: only those that a worker is at take one. Called around
 * its switches between serve and done. */
void grc_conn_runs(const struct grc_request *request, bool runs);
/* True once the request's listener has given up what it still serves, since its time to drain is
 * over. What the request waits for is cancelled. One that came to the process of an isolated group
 * has no listener, and is never given up there, nor is its client seen to leave. */
bool grc_request_given_up(const struct grc_request *request);
/* True when the client has left: it closed the connection, or it ended its sending and the request
 * can be asked again without harm (GET, HEAD). One that still reads the answer to another request
 * gets it. Costs a system call. */
bool grc_conn_gone(const struct grc_request *request);
