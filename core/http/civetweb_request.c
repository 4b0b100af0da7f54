/* One request between CivetWeb and the handler: taken, checked, served and answered. */
#include "http/civetweb.h"

#include "base/clock.h"
#include "base/err.h"
#include "http/framing.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Answers up to this size leave in one write, and buffers up to it are kept between requests. */
#define ONE_WRITE_BYTES ((size_t)64 * 1024)
#define KEEP_BYTES ((size_t)128 * 1024)
/* A connection that is closed with a body unread is drained this long, so that the answer arrives
 * before the reset that the kernel sends for unread bytes. */
#define LINGER_MS 1000
#define LINGER_BYTES ((size_t)4 * 1024 * 1024)

/* --- in --- */

static void copy_text(char *into, size_t size, const char *text)
{
    size_t len = strlen(text);

    if (len > size - 1)
        len = size - 1;
    memcpy(into, text, len);
    into[len] = '\0';
}

/* Fills the request with slices of CivetWeb's buffer and checks them. */
static void take_request(struct grc_conn *conn, const struct mg_request_info *info)
{
    struct grc_http *http = conn->http;
    struct grc_request *request = &conn->request;
    const char *base = conn->wait.base;
    struct grc_framing framing = {.version = info->http_version, .uri_max = http->uri_max};

    memset(request, 0, offsetof(struct grc_request, headers));
    memset((char *)request + offsetof(struct grc_request, header_count), 0,
           sizeof(*request) - offsetof(struct grc_request, header_count));
    request->conn = conn;
    request->started_us = grc_mono_us();
    request->method_text = gr_str_of(info->request_method);
    request->path = gr_str_of(info->request_uri);
    request->query = gr_str_of(info->query_string);
    for (int i = 0; i < info->num_headers && i < GRC_HEADERS_MAX; i++) {
        request->headers[i].name = gr_str_of(info->http_headers[i].name);
        request->headers[i].value = gr_str_of(info->http_headers[i].value);
        request->header_count++;
    }
    /* The bytes before the base of another buffer say nothing. */
    if (base && (uintptr_t)info->request_method - (uintptr_t)base < http->head_max)
        framing.base = base;
    framing.limit = (framing.base ? framing.base : info->request_method) + http->head_max;
    if (framing.base || !info->is_ssl) {
        grc_framing_check(request, &framing);
    } else {
        request->broken =
            GR_ERR_INTERNAL; /* TLS without its reads watched: see http/tls_library.c */
        request->broken_reason = "the request cannot be checked";
    }

    request->tls = info->is_ssl != 0;
    request->admin = http->admin;
    request->draining = atomic_load(&http->draining);
    request->overloaded = grc_http_load(&http->active) > http->workers - http->spare;
    copy_text(request->peer, sizeof(request->peer), info->remote_addr);
    unsigned listeners = atomic_load(&http->listen_count);
    for (unsigned i = 0; i < listeners; i++) {
        if ((int)http->ports[i] == info->server_port)
            copy_text(request->listener, sizeof(request->listener), http->names[i]);
    }
}

/* CivetWeb replaced the '?' by a NUL; the whole target is put together again where it has one. */
static void take_target(struct grc_conn *conn)
{
    struct grc_request *request = &conn->request;

    request->target = request->path;
    if (!request->query.ptr)
        return;
    grc_buf_clear(&conn->target);
    if (grc_buf_str(&conn->target, request->path) == GR_OK &&
        grc_buf_char(&conn->target, '?') == GR_OK &&
        grc_buf_str(&conn->target, request->query) == GR_OK)
        request->target = grc_buf_view(&conn->target);
}

/* --- out --- */

/* Keep-alive ends where workers get scarce. Where idle connections can be woken (see wait.h), that
 * is at the last spare workers; otherwise at three quarters. */
static bool may_keep_alive(struct grc_conn *conn)
{
    struct grc_http *http = conn->http;
    unsigned limit = conn->wait.hooked ? http->workers - http->spare : http->workers / 4 * 3;

    return !atomic_load(&http->draining) && grc_http_load(&http->occupied) <= (limit ? limit : 1);
}

/* Head and body in one write where they are small, so that they leave in one packet. */
static bool send_reply(struct grc_conn *conn, bool keep_alive, size_t *ret_sent)
{
    const struct grc_reply *reply = &conn->reply;
    gr_str body = grc_response_body(&conn->request, reply);
    size_t joined = body.len < ONE_WRITE_BYTES ? body.len : ONE_WRITE_BYTES;
    size_t more = 0;

    *ret_sent = 0;
    grc_buf_clear(&conn->out);
    if (grc_response_head(&conn->out, &conn->request, reply, keep_alive, &conn->date) != GR_OK ||
        grc_buf_add(&conn->out, body.ptr, joined) != GR_OK)
        return false;
    if (reply->cut && reply->cut_after <= conn->out.len) {
        grc_conn_send(conn, conn->out.ptr, reply->cut_after, ret_sent);
        return false;
    }
    bool ok = grc_conn_send(conn, conn->out.ptr, conn->out.len, ret_sent);
    if (ok && joined < body.len) {
        size_t rest = body.len - joined;

        if (reply->cut && reply->cut_after - conn->out.len < rest)
            rest = reply->cut_after - conn->out.len;
        ok = grc_conn_send(conn, body.ptr + joined, rest, &more) && rest == body.len - joined;
        *ret_sent += more;
    }
    return ok;
}

/* Takes in what the client still sends, so that closing does not reset the connection under an
 * answer that is on its way. */
static void linger(struct grc_conn *conn)
{
    struct grc_http *http = conn->http;
    int64_t deadline_ms = grc_mono_ms() + LINGER_MS;
    size_t taken = 0;
    char waste[2048];

    if (conn->wait.fd < 0 || conn->request.expect_continue || conn->request.overloaded)
        return;
    /* TLS has an end of its own, which CivetWeb sends when it closes. */
    if (!conn->request.tls && shutdown(conn->wait.fd, SHUT_WR) != 0)
        return;
    if (atomic_fetch_add(&http->readers, 1) < http->readers_max) {
        while (taken < LINGER_BYTES) {
            struct pollfd fd = {.fd = conn->wait.fd, .events = POLLIN};
            int64_t left_ms = deadline_ms - grc_mono_ms();

            if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) != 1)
                break;
            ssize_t got = recv(fd.fd, waste, sizeof(waste), 0);
            if (got <= 0)
                break;
            taken += (size_t)got;
        }
    }
    atomic_fetch_sub(&http->readers, 1);
}

static void trim_buffers(struct grc_conn *conn)
{
    if (conn->out.cap > KEEP_BYTES)
        grc_buf_done(&conn->out);
}

/* --- one request --- */

int grc_http_begin_request(struct mg_connection *mg)
{
    struct grc_conn *conn = mg_get_thread_pointer(mg);
    struct grc_http *http = conn->http;
    struct grc_request *request = &conn->request;
    struct grc_reply *reply = &conn->reply;
    size_t sent = 0;

    conn->wait.mode = GRC_WAIT_OFF;
    conn->mg = mg;
    conn->body_done = false;
    atomic_fetch_add(&http->active, 1);
    take_request(conn, mg_get_request_info(mg));
    take_target(conn);
    memset(reply, 0, sizeof(*reply));

    http->handler.serve(http->handler.arg, request, reply);

    if (reply->status < 200 || reply->status > 599)
        reply->status = 500;
    bool body_left = request->content_length != 0 && !conn->body_done;
    bool keep = grc_framing_keep_alive(request) && !reply->close && !reply->cut && !body_left &&
                may_keep_alive(conn);
    if (!keep)
        mg_disable_connection_keep_alive(mg);
    bool ok = send_reply(conn, keep, &sent);
    if (!ok)
        mg_disable_connection_keep_alive(mg);
    if (http->handler.done)
        http->handler.done(http->handler.arg, request, reply, sent, ok);
    if (ok && (body_left || request->broken != GR_OK))
        linger(conn);
    trim_buffers(conn);
    atomic_fetch_sub(&http->active, 1);
    grc_wait_next(&conn->wait, false);
    return reply->status;
}

/* --- what CivetWeb answers by itself --- */

void grc_http_refuse(const struct grc_http *http, const char *peer, int status, const char *reason)
{
    if (http->handler.refused)
        http->handler.refused(http->handler.arg, peer, status, reason);
}

/* The status for a head that CivetWeb could not parse, and what to say. */
static int judge_head(const struct grc_conn *conn, int status, const char **ret_reason)
{
    const struct grc_wait *wait = &conn->wait;
    int64_t waited_ms = wait->since_ms ? grc_mono_ms() - wait->since_ms : 0;

    if (status == 505) {
        *ret_reason = "only HTTP/1.0 and HTTP/1.1 are spoken here";
        return 505;
    }
    if (wait->expired || waited_ms >= conn->http->header_timeout_ms) {
        *ret_reason = "the head of the request took too long";
        return 408;
    }
    if (wait->head_full || status == 413) {
        *ret_reason = "the head of the request is too large";
        return 431;
    }
    *ret_reason = status >= 500 ? "the request could not be served" : "the request is malformed";
    return status >= 500 ? 500 : 400;
}

int grc_http_error(struct mg_connection *mg, int status, const char *message)
{
    struct grc_conn *conn = mg_get_thread_pointer(mg);
    const char *reason = NULL;
    char body[160];
    size_t sent;

    (void)message; /* may quote the request */
    status = judge_head(conn, status, &reason);
    conn->mg = mg;
    snprintf(body, sizeof(body), "{\"code\":%d,\"message\":\"%s\",\"details\":[\"%s\"]}", status,
             grc_status_reason(status), reason);
    memset(&conn->reply, 0, sizeof(conn->reply));
    conn->request.head = false;
    conn->reply.status = status;
    conn->reply.content_type = "application/json";
    conn->reply.body = gr_str_of(body);
    mg_disable_connection_keep_alive(mg);
    bool ok = send_reply(conn, false, &sent);
    grc_http_refuse(conn->http, mg_get_request_info(mg)->remote_addr, status, reason);
    conn->request.tls = mg_get_request_info(mg)->is_ssl != 0;
    conn->request.expect_continue = false;
    conn->request.overloaded = status == 408;
    if (ok)
        linger(conn);
    grc_wait_next(&conn->wait, false);
    return 0;
}
