/*
 * With civetweb_tls.c, the only file that knows CivetWeb. Everything is served from begin_request,
 * which runs before any look at files, handlers or scripts; document_root is never set. What
 * CivetWeb's parser lets through is refused by http/framing.c; what its reads and writes do not
 * bound is bounded by http/wait.c.
 */
#include "http/civetweb.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/privileges.h"
#include "http/framing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(MG_MAX_HEADERS == GRC_HEADERS_MAX, "the header array of CivetWeb has another size");

/* The version whose in-place parser http/framing.c knows. */
#define KNOWN_VERSION "1.15"
/* Answers up to this size leave in one write, and buffers up to it are kept between requests. */
#define ONE_WRITE_BYTES ((size_t)64 * 1024)
#define KEEP_BYTES ((size_t)128 * 1024)
#define BODY_STEP_BYTES ((size_t)16 * 1024)
/* Without a deadline inside of CivetWeb's reads, small steps are what bounds a trickled body. */
#define BLIND_STEP_BYTES 16u
/* A reader must take each piece within the grace, which is short where workers are scarce, and the
 * whole at 64 KiB/s on average. */
#define WRITE_GRACE_MS 10000
#define WRITE_GRACE_SCARCE_MS 2500
#define WRITE_PIECE ((size_t)256 * 1024)
#define WRITE_BYTES_PER_MS 64
/* A connection that is closed with a body unread is drained this long, so that the answer arrives
 * before the reset that the kernel sends for unread bytes. */
#define LINGER_MS 1000
#define LINGER_BYTES ((size_t)4 * 1024 * 1024)

/* --- pressure --- */

static unsigned load_of(atomic_uint *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* See struct grc_wait: clients get less time for their heads as workers run out. */
static int64_t patience_ms(void *arg, bool head_begun)
{
    struct grc_http *http = ((struct grc_conn *)arg)->http;
    unsigned occupied = load_of(&http->occupied);

    if (atomic_load_explicit(&http->draining, memory_order_relaxed) && !head_begun)
        return 100; /* over for those that idle, and time to be told for those that just came */
    if (occupied > http->workers - http->spare) {
        /* Whoever waited for a worker has sent his request meanwhile; a handshake takes turns. */
        if (((const struct grc_conn *)arg)->shaking)
            return 250;
        return head_begun ? 100 : 50;
    }
    if (occupied > http->workers / 4 * 3)
        return 1500;
    return -1;
}

/* Keep-alive ends where workers get scarce. Where idle connections can be woken (see wait.h), that
 * is at the last spare workers; otherwise at three quarters. */
static bool may_keep_alive(struct grc_conn *conn)
{
    struct grc_http *http = conn->http;
    unsigned limit = conn->wait.hooked ? http->workers - http->spare : http->workers / 4 * 3;

    return !atomic_load(&http->draining) && load_of(&http->occupied) <= (limit ? limit : 1);
}

/* --- bodies --- */

static int read_some(struct grc_conn *conn, char *into, size_t count, int64_t deadline_ms)
{
    conn->wait.deadline_ms = deadline_ms;
    conn->wait.expired = false;
    conn->wait.mode = GRC_WAIT_BODY;
    int got = mg_read(conn->mg, into, count);
    conn->wait.mode = GRC_WAIT_OFF;
    return got;
}

static enum gr_err read_chunked(struct grc_conn *conn, struct grc_buf *buf, size_t step,
                                int64_t deadline_ms)
{
    for (;;) {
        size_t room = buf->max_bytes - buf->len;
        char beyond;

        if (room == 0) {
            int got = read_some(conn, &beyond, 1, deadline_ms);
            return got == 0 ? GR_OK : got > 0 ? GR_ERR_TOO_LARGE : GR_ERR_BAD_REQUEST;
        }
        size_t want = room < step ? room : step;
        enum gr_err err = grc_buf_reserve(buf, want);
        if (err != GR_OK)
            return err;
        int got = read_some(conn, buf->ptr + buf->len, want, deadline_ms);
        if (got < 0)
            return GR_ERR_BAD_REQUEST;
        if (got == 0)
            return GR_OK;
        buf->len += (size_t)got;
        buf->ptr[buf->len] = '\0';
        if (grc_mono_ms() >= deadline_ms)
            return GR_ERR_TIMEOUT;
    }
}

static enum gr_err read_counted(struct grc_conn *conn, struct grc_buf *buf, size_t step,
                                int64_t deadline_ms)
{
    size_t left = (size_t)conn->request.content_length;

    while (left > 0) {
        size_t want = left < step ? left : step;
        enum gr_err err = grc_buf_reserve(buf, want);
        if (err != GR_OK)
            return err;
        int got = read_some(conn, buf->ptr + buf->len, want, deadline_ms);
        if (got <= 0)
            return GR_ERR_BAD_REQUEST; /* the client ended early */
        buf->len += (size_t)got;
        buf->ptr[buf->len] = '\0';
        left -= (size_t)got;
        if (left > 0 && grc_mono_ms() >= deadline_ms)
            return GR_ERR_TIMEOUT;
    }
    return GR_OK;
}

/* How long a client may take for the next piece of an answer. */
static int64_t write_grace_ms(struct grc_http *http)
{
    return load_of(&http->occupied) > http->workers - http->spare ? WRITE_GRACE_SCARCE_MS
                                                                  : WRITE_GRACE_MS;
}

static bool send_piece(struct grc_conn *conn, const char *bytes, size_t count, int64_t deadline_ms,
                       size_t *sent)
{
    conn->wait.deadline_ms = deadline_ms;
    conn->wait.expired = false;
    conn->wait.mode = GRC_WAIT_WRITE;
    int took = mg_write(conn->mg, bytes, count);
    conn->wait.mode = GRC_WAIT_OFF;
    *sent += took > 0 ? (size_t)took : 0;
    return took >= 0 && (size_t)took == count;
}

/* In pieces, so that a reader that stands still is told from one that is slow. */
static bool send_all(struct grc_conn *conn, const char *bytes, size_t count, size_t *ret_sent)
{
    int64_t end_ms = grc_mono_ms() + WRITE_GRACE_MS + (int64_t)count / WRITE_BYTES_PER_MS;

    *ret_sent = 0;
    while (*ret_sent < count) {
        size_t left = count - *ret_sent;
        int64_t piece_ms = grc_mono_ms() + write_grace_ms(conn->http);

        if (!send_piece(conn, bytes + *ret_sent, left < WRITE_PIECE ? left : WRITE_PIECE,
                        piece_ms < end_ms ? piece_ms : end_ms, ret_sent))
            return false;
    }
    return true;
}

enum gr_err grc_conn_read_body(struct grc_request *request, struct grc_buf *buf,
                               int64_t deadline_ms)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct grc_conn *conn = request->conn;
    struct grc_http *http = conn->http;
    size_t sent;

    if (conn->body_done || request->content_length == 0) {
        conn->body_done = true;
        return GR_OK;
    }
    if (request->content_length > 0 && (uint64_t)request->content_length > buf->max_bytes)
        return GR_ERR_TOO_LARGE;
    if (request->expect_continue) {
        request->expect_continue = false;
        if (!send_all(conn, go_on, sizeof(go_on) - 1, &sent))
            return GR_ERR_CANCELLED;
    }
    if (atomic_fetch_add(&http->readers, 1) >= http->readers_max) {
        atomic_fetch_sub(&http->readers, 1);
        return GR_ERR_OVERLOAD;
    }
    size_t step = conn->wait.hooked ? BODY_STEP_BYTES : BLIND_STEP_BYTES;
    enum gr_err err = request->content_length > 0 ? read_counted(conn, buf, step, deadline_ms)
                                                  : read_chunked(conn, buf, step, deadline_ms);
    atomic_fetch_sub(&http->readers, 1);
    if (err == GR_ERR_BAD_REQUEST && (conn->wait.expired || grc_mono_ms() >= deadline_ms))
        err = GR_ERR_TIMEOUT;
    conn->body_done = err == GR_OK;
    return err;
}

bool grc_conn_gone(const struct grc_request *request)
{
    struct pollfd fd = {.fd = grc_conn_fd(request), .events = POLLRDHUP};

    /* A client that only shut down its sending side counts as gone, as nginx has it. */
    return fd.fd >= 0 && poll(&fd, 1, 0) == 1 &&
           (fd.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

int grc_conn_fd(const struct grc_request *request)
{
    return request->conn ? request->conn->wait.fd : -1;
}

/* --- one request --- */

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
    request->overloaded = load_of(&http->active) > http->workers - http->spare;
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
        send_all(conn, conn->out.ptr, reply->cut_after, ret_sent);
        return false;
    }
    bool ok = send_all(conn, conn->out.ptr, conn->out.len, ret_sent);
    if (ok && joined < body.len) {
        size_t rest = body.len - joined;

        if (reply->cut && reply->cut_after - conn->out.len < rest)
            rest = reply->cut_after - conn->out.len;
        ok = send_all(conn, body.ptr + joined, rest, &more) && rest == body.len - joined;
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

static int begin_request(struct mg_connection *mg)
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

/* Answers in the host's own error shape. Returning 0 tells CivetWeb that it was answered. */
static int http_error(struct mg_connection *mg, int status, const char *message)
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

static int log_message(const struct mg_connection *mg, const char *message)
{
    struct grc_http *http = mg_get_user_data(mg_get_context(mg));

    if (http)
        snprintf(http->trouble, sizeof(http->trouble), "%s", message);
    grc_debug("civetweb: %s", message);
    return 1;
}

/* --- threads and connections --- */

/* A worker that wakes then waits for its turn, which lets those it talks to finish what they do and
 * costs fewer switches; see sched(7). Where it is not allowed, the worker stays as it is. */
static void schedule_as_batch(void)
{
    const struct sched_param none = {.sched_priority = 0};

    if (sched_setscheduler(0, SCHED_BATCH, &none) != 0)
        grc_debug("workers keep the normal scheduling: %s", strerror(errno));
}

static void *init_thread(const struct mg_context *ctx, int type)
{
    struct grc_http *http = mg_get_user_data(ctx);
    struct grc_conn *conn = calloc(1, sizeof(*conn));

    grc_privileges_thread();
    if (!conn)
        abort(); /* at start, before anything is served */
    conn->http = http;
    conn->wait.arg = conn;
    conn->wait.stopping = &http->stopping;
    conn->wait.base_size = http->head_max;
    grc_buf_init(&conn->out, (size_t)1024 * 1024);
    grc_buf_init(&conn->target, http->head_max);
    grc_wait_next(&conn->wait, true);
    if (type == 1) {
        if (http->batch)
            schedule_as_batch();
        conn->wait.patience_ms = patience_ms;
        conn->wait.opened = grc_http_handshake_begins;
    } else {
        conn->wait.mode = GRC_WAIT_ACCEPT;
    }
    grc_wait_attach(&conn->wait);
    return conn;
}

static void exit_thread(const struct mg_context *ctx, int type, void *thread)
{
    struct grc_conn *conn = thread;

    (void)ctx;
    (void)type;
    grc_wait_attach(NULL);
    if (!conn)
        return;
    grc_buf_done(&conn->out);
    grc_buf_done(&conn->target);
    free(conn);
}

static int init_connection(const struct mg_connection *mg, void **data)
{
    struct grc_conn *conn = mg_get_thread_pointer(mg);

    (void)data;
    conn->shaking = false;
    if (conn->counted) { /* a handshake is done; the head gets time of its own */
        grc_wait_next(&conn->wait, false);
        return 0;
    }
    conn->counted = true;
    atomic_fetch_add(&conn->http->occupied, 1);
    return 0;
}

static void connection_closed(const struct mg_connection *mg)
{
    struct grc_conn *conn = mg_get_thread_pointer(mg);

    if (conn->counted)
        atomic_fetch_sub(&conn->http->occupied, 1);
    conn->counted = false;
    grc_wait_next(&conn->wait, true);
}

/* --- options --- */

struct options {
    const char *list[64];
    size_t count;
    char texts[16][32];
    size_t text_count;
    char ports[GRC_LISTEN_MAX * 72];
};

static bool is_known_option(const char *name)
{
    for (const struct mg_option *option = mg_get_valid_options(); option->name; option++) {
        if (strcmp(option->name, name) == 0)
            return true;
    }
    return false;
}

/* Builds of CivetWeb leave out options of features they leave out. */
static void set(struct options *options, const char *name, const char *value)
{
    if (!is_known_option(name) || options->count + 3 > sizeof(options->list) / sizeof(char *))
        return;
    options->list[options->count++] = name;
    options->list[options->count++] = value;
}

static void set_number(struct options *options, const char *name, int64_t value)
{
    size_t max = sizeof(options->texts) / sizeof(options->texts[0]);

    if (options->text_count == max)
        return;
    char *text = options->texts[options->text_count++];
    snprintf(text, sizeof(options->texts[0]), "%lld", (long long)value);
    set(options, name, text);
}

static void set_ports(struct options *options, const struct grc_listen *listen, size_t count)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        int len =
            snprintf(options->ports + at, sizeof(options->ports) - at, "%s%.63s:%u%s", i ? "," : "",
                     listen[i].address, listen[i].port, listen[i].tls ? "s" : "");
        if (len < 0 || (size_t)len >= sizeof(options->ports) - at)
            return;
        at += (size_t)len;
    }
    set(options, "listening_ports", options->ports);
}

/* Every option that matters is set, so that no default of another build decides. */
static void fill_options(struct options *options, const struct grc_http *http,
                         const struct grc_listen *listen, size_t count,
                         const struct grc_settings *settings)
{
    set_ports(options, listen, count);
    set_number(options, "num_threads", http->workers);
    set_number(options, "max_request_size", (int64_t)http->head_max);
    set_number(options, "request_timeout_ms", settings->header_timeout_ms);
    set_number(options, "keep_alive_timeout_ms", settings->keep_alive_timeout_ms);
    set_number(options, "connection_queue", http->workers < 64 ? 64 : http->workers);
    set_number(options, "listen_backlog", 4096);
    set(options, "enable_keep_alive", "yes");
    set(options, "tcp_nodelay", "1");
    set(options, "decode_url", "no");
    set(options, "decode_query_string", "no");
    set(options, "allow_sendfile_call", "no");
    set(options, "enable_directory_listing", "no");
    set(options, "enable_auth_domain_check", "no");
    set(options, "authentication_domain", "greenroom.invalid");
    set(options, "access_control_allow_origin", "");
    set(options, "access_control_allow_methods", "");
    set(options, "access_control_allow_headers", "");
    set(options, "cgi_pattern", "");
    set(options, "ssi_pattern", "");
    set(options, "enable_websocket_ping_pong", "no");
}

/* --- start and stop --- */

char *grc_http_reason(const char *format, ...)
{
    char *reason = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&reason, format, args) < 0)
        reason = NULL;
    va_end(args);
    return reason;
}

/* Finds out which address cannot be bound and why, since CivetWeb says so in many words. */
static char *probe(const struct grc_listen *listen, size_t count, const char *trouble)
{
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in in = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)listen[i].port)};
        int on = 1;

        if (inet_pton(AF_INET, listen[i].address, &in.sin_addr) != 1)
            continue;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            break;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
            bind(fd, (const struct sockaddr *)&in, sizeof(in)) != 0) {
            char *reason =
                grc_http_reason("%s:%u: %s", listen[i].address, listen[i].port, strerror(errno));
            close(fd);
            return reason;
        }
        close(fd);
    }
    return grc_http_reason("%s:%u: %s", listen[0].address, listen[0].port,
                           trouble[0] ? trouble : "the listener did not start");
}

/* What the linked library cannot do, as a reason; NULL when all is well. */
static char *check_listen(const struct grc_listen *listen, size_t count)
{
    if (count == 0 || count > GRC_LISTEN_MAX)
        return grc_http_reason("no address to listen on");
    for (size_t i = 0; i < count; i++) {
        if (listen[i].address[0] == '[' && !grc_http_has_ipv6())
            return grc_http_reason(
                "%s:%u: this build of libcivetweb has no IPv6; use an IPv4 address",
                listen[i].address, listen[i].port);
    }
    return NULL;
}

bool grc_http_check(const struct grc_settings *settings, char **ret_reason)
{
    struct grc_http trial = {.tls = NULL};
    char *reason = check_listen(settings->listen, settings->listen_count);

    if (!reason)
        reason = grc_http_prepare_tls(&trial, settings->listen, settings->listen_count, settings);
    if (!reason && !trial.tls && settings->admin.address)
        reason = grc_http_prepare_tls(&trial, &settings->admin, 1, settings);
    grc_tls_free(trial.tls);
    *ret_reason = reason;
    return reason == NULL;
}

static void learn_ports(struct grc_http *http, const struct grc_listen *listen, size_t count)
{
    struct mg_server_port ports[GRC_LISTEN_MAX];
    int found = mg_get_server_ports(http->ctx, GRC_LISTEN_MAX, ports);

    for (size_t i = 0; i < count; i++) {
        http->ports[i] = found > 0 && i < (size_t)found ? (unsigned)ports[i].port : listen[i].port;
        snprintf(http->names[i], sizeof(http->names[i]), "%.50s:%u", listen[i].address,
                 http->ports[i]);
    }
    atomic_store(&http->listen_count, (unsigned)count);
}

static unsigned clamp(int64_t value, unsigned min, unsigned max)
{
    return value < (int64_t)min ? min : value > (int64_t)max ? max : (unsigned)value;
}

static struct grc_http *new_http(int64_t workers, bool admin, const struct grc_settings *settings,
                                 const struct grc_http_handler *handler)
{
    struct grc_http *http = calloc(1, sizeof(*http));

    if (!http)
        return NULL;
    http->handler = *handler;
    http->admin = admin;
    http->batch = !admin && settings->workers_batch;
    http->workers = clamp(workers, 1, 16384);
    http->spare = http->workers < 4 ? 0 : clamp(http->workers / 10, 1, 32);
    http->readers_max = http->workers < 2 ? 1 : http->workers / 2;
    http->uri_max = (size_t)settings->uri_max_bytes;
    http->head_max = clamp(settings->header_max_bytes + settings->uri_max_bytes, 2048, 1 << 20);
    http->header_timeout_ms = settings->header_timeout_ms;
    return http;
}

struct grc_http *grc_http_start(const struct grc_listen *listen, size_t count, int64_t workers,
                                bool admin, const struct grc_settings *settings,
                                const struct grc_http_handler *handler, char **ret_reason)
{
    /* Without log_access and access_log_file CivetWeb formats no local time, which takes a lock
     * of the whole process. */
    static const struct mg_callbacks callbacks = {
        .begin_request = begin_request,
        .log_message = log_message,
        .http_error = http_error,
        .init_thread = init_thread,
        .exit_thread = exit_thread,
        .init_connection = init_connection,
        .connection_close = grc_http_connection_closes,
        .connection_closed = connection_closed,
        .external_ssl_ctx = grc_http_give_context,
    };

    char *reason = check_listen(listen, count);
    if (reason) {
        *ret_reason = reason;
        return NULL;
    }
    struct grc_http *http = new_http(workers, admin, settings, handler);
    struct options *options = calloc(1, sizeof(*options));
    if (!http || !options) {
        free(http);
        free(options);
        *ret_reason = grc_http_reason("out of memory");
        return NULL;
    }
    reason = grc_http_prepare_tls(http, listen, count, settings);
    if (reason) {
        free(options);
        free(http);
        *ret_reason = reason;
        return NULL;
    }
    fill_options(options, http, listen, count, settings);
    struct mg_init_data init = {
        .callbacks = &callbacks, .user_data = http, .configuration_options = options->list};
    http->ctx = mg_start2(&init, NULL);
    free(options);
    if (!http->ctx) {
        *ret_reason = probe(listen, count, http->trouble);
        grc_tls_free(http->tls);
        free(http);
        return NULL;
    }
    learn_ports(http, listen, count);
    return http;
}

void grc_http_drain(struct grc_http *http)
{
    atomic_store(&http->draining, true);
}

bool grc_http_reload(struct grc_http *http, const struct grc_settings *settings, char **ret_reason)
{
    return !http->tls || grc_tls_reload(http->tls, &settings->tls, ret_reason);
}

bool grc_http_watch(struct grc_http *http)
{
    if (http->tls)
        grc_tls_watch(http->tls);
    return http->tls != NULL;
}

unsigned grc_http_active(const struct grc_http *http)
{
    return atomic_load(&http->active);
}

unsigned grc_http_workers(const struct grc_http *http)
{
    return http->workers;
}

unsigned grc_http_occupied(const struct grc_http *http)
{
    return atomic_load(&http->occupied);
}

unsigned grc_http_port(const struct grc_http *http, size_t index)
{
    return index < atomic_load(&http->listen_count) ? http->ports[index] : 0;
}

void grc_http_stop(struct grc_http *http)
{
    if (!http)
        return;
    atomic_store(&http->draining, true);
    atomic_store(&http->stopping, true);
    mg_stop(http->ctx);
    grc_tls_free(http->tls);
    free(http);
}

/* --- the library --- */

bool grc_http_global_init(const char **ret_reason)
{
    if (strcmp(mg_version(), KNOWN_VERSION) != 0) {
        *ret_reason = "the linked libcivetweb is not version " KNOWN_VERSION
                      ", whose parser the checks of requests know";
        return false;
    }
    mg_init_library(MG_FEATURES_DEFAULT);
    return true;
}

const char *grc_http_library(void)
{
    return mg_version();
}

bool grc_http_has_ipv6(void)
{
    return mg_check_feature(MG_FEATURES_IPV6) != 0;
}
