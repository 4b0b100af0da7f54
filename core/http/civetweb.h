/* Inside of the CivetWeb adapter only: what its files share. */
#pragma once

#include "http/http.h"
#include "http/response.h"
#include "http/tls.h"
#include "http/wait.h"

#include <civetweb.h>
#include <stdatomic.h>

struct grc_http {
    struct mg_context *ctx;
    struct grc_tls *tls; /* NULL: no HTTPS listener */
    struct grc_http_handler handler;
    bool admin;
    bool batch; /* the workers run under SCHED_BATCH */
    unsigned workers;
    unsigned spare;       /* workers kept free: above the rest, requests are shed */
    unsigned readers_max; /* workers that may wait for bodies */
    size_t head_max;
    size_t uri_max;
    int64_t header_timeout_ms;
    atomic_uint listen_count; /* set last: requests may come in before the ports are known */
    unsigned ports[GRC_LISTEN_MAX];
    char names[GRC_LISTEN_MAX][64];
    atomic_uint occupied; /* workers that hold a connection */
    atomic_uint active;   /* requests between begin and end */
    atomic_uint readers;
    atomic_bool draining;
    atomic_bool stopping;
    char trouble[256]; /* the last thing CivetWeb complained about */
};

/* One worker: it serves one connection at a time. */
struct grc_conn {
    struct grc_http *http;
    struct mg_connection *mg;
    struct grc_wait wait;
    struct grc_request request;
    struct grc_reply reply;
    struct grc_buf out;
    struct grc_buf target;
    struct grc_date date;
    bool counted;   /* in http->occupied */
    bool shaking;   /* in a TLS handshake */
    bool body_done; /* read to its end */
};

/* Relaxed: enough to see how busy it is. */
static inline unsigned grc_http_load(atomic_uint *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* malloc'ed, by printf's rules; NULL without memory. */
char *grc_http_reason(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Tells the handler of a request that it never saw. */
void grc_http_refuse(const struct grc_http *http, const char *peer, int status, const char *reason);

/* civetweb_io.c */

/* In pieces, so that a reader that stands still is told from one that is slow. false: the client is
 * gone or too slow; *ret_sent bytes went out. */
bool grc_conn_send(struct grc_conn *conn, const char *bytes, size_t count, size_t *ret_sent);

/* civetweb_request.c */

/* CivetWeb's begin_request. */
int grc_http_begin_request(struct mg_connection *mg);
/* CivetWeb's http_error: answers in the host's own error shape. Returning 0 tells CivetWeb that it
 * was answered. */
int grc_http_error(struct mg_connection *mg, int status, const char *message);

/* civetweb_options.c */

/* CivetWeb's options with the memory they point into. */
struct grc_http_options {
    const char *list[64];
    size_t count;
    char texts[16][32];
    size_t text_count;
    char ports[GRC_LISTEN_MAX * 72];
};

/* Sets every option that matters, so that no default of another build decides. */
void grc_http_fill_options(struct grc_http_options *options, const struct grc_http *http,
                           const struct grc_listen *listen, size_t count,
                           const struct grc_settings *settings);

/* civetweb_tls.c */

/* NULL, and http->tls set where one of the listeners needs it; or a reason. */
char *grc_http_prepare_tls(struct grc_http *http, const struct grc_listen *listen, size_t count,
                           const struct grc_settings *settings);
/* grc_wait's opened: a connection whose handshake begins. arg is a grc_conn. */
void grc_http_handshake_begins(void *arg);
/* CivetWeb's connection_close and external_ssl_ctx. */
void grc_http_connection_closes(const struct mg_connection *mg);
int grc_http_give_context(void **ret_ctx, void *data);
