/* One request, from its head to the end of its answer. */
#include "http/internal.h"

#include "base/clock.h"
#include "http/chunks.h"
#include "loop/wait.h"
#include "metrics/metrics.h"

#include <stdlib.h>
#include <string.h>

/* Bodies up to this size are sent in one write with the head. */
#define ONE_WRITE_BYTES ((size_t)64 * 1024)
#define KEEP_BYTES ((size_t)16 * 1024) /* larger buffers are freed after a request */
#define OUT_MAX_BYTES ((size_t)1024 * 1024)
#define BODY_STEP_BYTES ((size_t)16 * 1024)
/* A client must read each piece within the grace, which is shorter under load, and the whole answer
 * with WRITE_BYTES_PER_MS on average. */
#define WRITE_GRACE_MS 10000
#define WRITE_GRACE_SCARCE_MS 2500
#define WRITE_PIECE ((size_t)256 * 1024)
#define WRITE_BYTES_PER_MS 64
/* This number of unused transactions are kept, some 8 KiB each. */
#define FREE_MAX 256u

/* --- the list of free transactions --- */

static void release(struct grc_transaction *transaction)
{
    grc_buf_done(&transaction->head);
    grc_buf_done(&transaction->out);
    free(transaction);
}

static struct grc_transaction *take(struct grc_http *http)
{
    pthread_mutex_lock(&http->lock);
    struct grc_transaction *transaction = http->free_transactions;
    if (transaction) {
        http->free_transactions = transaction->next;
        http->free_transaction_count--;
    }
    pthread_mutex_unlock(&http->lock);
    if (transaction)
        return transaction;
    transaction = calloc(1, sizeof(*transaction));
    if (!transaction)
        return NULL;
    grc_buf_init(&transaction->head, http->head_max);
    grc_buf_init(&transaction->out, OUT_MAX_BYTES);
    return transaction;
}

static void trim(struct grc_buf *buf)
{
    if (buf->cap > KEEP_BYTES)
        grc_buf_done(buf);
    grc_buf_clear(buf);
}

static void give(struct grc_http *http, struct grc_transaction *transaction)
{
    trim(&transaction->head);
    trim(&transaction->out);
    pthread_mutex_lock(&http->lock);
    bool kept = http->free_transaction_count < FREE_MAX;
    if (kept) {
        transaction->next = http->free_transactions;
        http->free_transactions = transaction;
        http->free_transaction_count++;
    }
    pthread_mutex_unlock(&http->lock);
    if (!kept)
        release(transaction);
}

void grc_transaction_drop(struct grc_conn *conn)
{
    if (conn->transaction)
        give(conn->http, conn->transaction);
    conn->transaction = NULL;
}

void grc_transactions_free(struct grc_http *http)
{
    while (http->free_transactions) {
        struct grc_transaction *transaction = http->free_transactions;

        http->free_transactions = transaction->next;
        release(transaction);
    }
}

/* --- the head --- */

/* Clears a request except for the array of headers, of which header_count entries are valid. */
static void clear_request(struct grc_request *request)
{
    memset(request, 0, offsetof(struct grc_request, headers));
    memset((char *)request + offsetof(struct grc_request, header_count), 0,
           sizeof(*request) - offsetof(struct grc_request, header_count));
}

/* A limit that is reached, for the client; NULL: none is. */
static const char *overload(const struct grc_conn *conn)
{
    struct grc_http *http = conn->http;

    if (conn->over)
        return "there are too many connections";
    if (grc_http_load(&http->active) > http->requests_max)
        return "there are too many requests";
    if (grc_http_load(&http->running) > http->workers - http->spare)
        return "all workers are busy";
    return NULL;
}

static void describe(struct grc_conn *conn, struct grc_request *request)
{
    struct grc_http *http = conn->http;

    request->conn = conn;
    request->started_us = grc_mono_us();
    if (conn->ready_us) {
        request->waited_us = request->started_us - conn->ready_us;
        grc_metrics_worker_wait(http->admin, request->waited_us);
    }
    conn->ready_us = 0;
    request->tls = conn->ssl != NULL;
    request->admin = http->admin;
    request->leaving = atomic_load(&http->stage) >= GRC_HTTP_LEAVING;
    request->late = conn->late;
    request->overload = overload(conn);
    memcpy(request->peer, conn->peer, sizeof(request->peer));
    request->proxied_for = conn->client;
}

bool grc_transaction_begin(struct grc_conn *conn, size_t len, enum gr_err err, const char *reason)
{
    struct grc_transaction *transaction = take(conn->http);

    if (!transaction)
        return false;
    len = len < conn->http->head_max ? len : conn->http->head_max;
    if (grc_buf_add(&transaction->head, conn->in, len) != GR_OK) {
        give(conn->http, transaction);
        return false;
    }
    transaction->head_at = 0;
    transaction->body_done = false;
    clear_request(&transaction->request);
    memset(&transaction->reply, 0, sizeof(transaction->reply));
    if (err != GR_OK)
        grc_framing_refuse(transaction->head.ptr, len, &transaction->request, err, reason);
    else
        grc_framing_read(transaction->head.ptr, len, &conn->http->limits, &transaction->request,
                         &transaction->head_at);
    conn->transaction = transaction;
    return true;
}

gr_str grc_transaction_head(const struct grc_transaction *transaction)
{
    return (gr_str){transaction->head.ptr + transaction->head_at,
                    transaction->head.len - transaction->head_at};
}

/* --- bytes out --- */

/* How long a client may take to read the next piece of an answer. */
static int64_t write_grace_ms(struct grc_http *http)
{
    return grc_http_load(&http->active) > http->requests_max / 4 * 3 ? WRITE_GRACE_SCARCE_MS
                                                                     : WRITE_GRACE_MS;
}

static enum grc_woken wait_at_client(struct grc_conn *conn, uint32_t events, int64_t deadline_ms,
                                     enum grc_waits what)
{
    grc_conn_unwatch_client(conn);
    return grc_wait_watch(conn->watch, events, deadline_ms, what);
}

/* Returns false if the client has gone or is too slow. Adds the number of bytes sent to *sent. */
static bool send_piece(struct grc_conn *conn, const char *bytes, size_t count, int64_t deadline_ms,
                       size_t *sent)
{
    while (count > 0) {
        ssize_t took = grc_stream_write(conn, bytes, count);

        if (took >= 0) {
            bytes += took;
            count -= (size_t)took;
            *sent += (size_t)took;
        } else if (took == GRC_STREAM_BROKEN ||
                   wait_at_client(conn, GRC_WRITE, deadline_ms, GRC_WAITS_WRITE) !=
                       GRC_WOKEN_READY) {
            return false;
        }
    }
    return true;
}

/* Sends in pieces, to tell a client that has stopped reading from a slow one. */
static bool send_slowly(struct grc_conn *conn, const char *bytes, size_t count, size_t *sent)
{
    int64_t now_ms = grc_mono_ms();
    int64_t end_ms = now_ms + WRITE_GRACE_MS + (int64_t)count / WRITE_BYTES_PER_MS;

    while (count > 0) {
        size_t piece = count < WRITE_PIECE ? count : WRITE_PIECE;
        int64_t piece_ms = now_ms + write_grace_ms(conn->http);

        if (!send_piece(conn, bytes, piece, piece_ms < end_ms ? piece_ms : end_ms, sent))
            return false;
        bytes += piece;
        count -= piece;
        now_ms = count ? grc_mono_ms() : 0;
    }
    return true;
}

/* Most answers fit into the socket's buffer at once, and need no deadline. */
static bool send_bytes(struct grc_conn *conn, const char *bytes, size_t count, size_t *sent)
{
    ssize_t took =
        count ? grc_stream_write(conn, bytes, count < WRITE_PIECE ? count : WRITE_PIECE) : 0;

    if (took == GRC_STREAM_BROKEN)
        return false;
    size_t at = took > 0 ? (size_t)took : 0;
    *sent += at;
    return at == count || send_slowly(conn, bytes + at, count - at, sent);
}

/* Sends the head and a small body in one write, so that they fit into one packet. */
static bool send_reply(struct grc_conn *conn, bool keep_alive, size_t *ret_sent)
{
    struct grc_transaction *transaction = conn->transaction;
    const struct grc_reply *reply = &transaction->reply;
    struct grc_buf *out = &transaction->out;
    gr_str body = grc_response_body(&transaction->request, reply);
    size_t joined = body.len < ONE_WRITE_BYTES ? body.len : ONE_WRITE_BYTES;

    *ret_sent = 0;
    grc_buf_clear(out);
    if (grc_response_head(out, &transaction->request, reply, keep_alive, &transaction->date) !=
            GR_OK ||
        grc_buf_add(out, body.ptr, joined) != GR_OK)
        return false;
    const char *tail = body.len ? body.ptr + joined : NULL;
    size_t rest = body.len - joined;
    if (reply->cut) {
        size_t first = reply->cut_after < out->len ? reply->cut_after : out->len;
        size_t more = reply->cut_after - first < rest ? reply->cut_after - first : rest;

        (void)(send_bytes(conn, out->ptr, first, ret_sent) &&
               send_bytes(conn, tail, more, ret_sent));
        return false;
    }
    return send_bytes(conn, out->ptr, out->len, ret_sent) && send_bytes(conn, tail, rest, ret_sent);
}

/* --- bodies --- */

/* Waits for more of a body. Meanwhile the memory of the body counts for waiting_bytes_max. */
static enum gr_err wait_for_body(struct grc_conn *conn, const struct grc_buf *buf,
                                 int64_t deadline_ms)
{
    struct grc_http *http = conn->http;
    int64_t bytes = (int64_t)buf->cap;
    enum gr_err err = GR_ERR_OVERLOAD;

    if (atomic_fetch_add(&http->waiting_bytes, bytes) + bytes <= http->waiting_bytes_max) {
        static const enum gr_err errors[] = {
            [GRC_WOKEN_READY] = GR_OK,
            [GRC_WOKEN_LATE] = GR_ERR_TIMEOUT,
            [GRC_WOKEN_CANCELLED] = GR_ERR_CANCELLED,
            [GRC_WOKEN_FAILED] = GR_ERR_NO_MEMORY,
        };

        err = errors[wait_at_client(conn, GRC_READ, deadline_ms, GRC_WAITS_BODY)];
    }
    atomic_fetch_sub(&http->waiting_bytes, bytes);
    return err;
}

static enum gr_err read_chunked(struct grc_conn *conn, struct grc_buf *buf, int64_t deadline_ms)
{
    struct grc_chunks chunks = {.state = GRC_CHUNKS_SIZE};

    for (;;) {
        size_t used = 0;
        enum gr_err err = grc_chunks_take(&chunks, conn->in, conn->in_len, buf, &used);

        grc_conn_used(conn, used);
        if (err != GR_OK || chunks.state == GRC_CHUNKS_DONE)
            return err;
        switch (grc_conn_fill(conn)) {
        case GRC_CAME_SOME:
            break;
        case GRC_CAME_NONE:
            err = wait_for_body(conn, buf, deadline_ms);
            break;
        case GRC_CAME_END:
        case GRC_CAME_TROUBLE:
            return GR_ERR_BAD_REQUEST;
        }
        if (err == GR_OK && grc_mono_ms() >= deadline_ms)
            err = GR_ERR_TIMEOUT;
        if (err != GR_OK)
            return err;
    }
}

static enum gr_err read_counted(struct grc_conn *conn, struct grc_buf *buf, int64_t deadline_ms)
{
    size_t left = (size_t)conn->transaction->request.content_length;
    size_t there = conn->in_len < left ? conn->in_len : left;
    enum gr_err err = grc_buf_add(buf, conn->in, there);

    grc_conn_used(conn, there);
    left -= there;
    while (err == GR_OK && left > 0) {
        size_t want = left < BODY_STEP_BYTES ? left : BODY_STEP_BYTES;

        err = grc_buf_reserve(buf, want);
        if (err != GR_OK)
            return err;
        ssize_t got = grc_stream_read(conn, buf->ptr + buf->len, want);
        if (got == 0 || got == GRC_STREAM_BROKEN)
            return GR_ERR_BAD_REQUEST; /* the body is incomplete */
        if (got < 0) {
            err = wait_for_body(conn, buf, deadline_ms);
            continue;
        }
        buf->len += (size_t)got;
        buf->ptr[buf->len] = '\0';
        left -= (size_t)got;
        if (left > 0 && grc_mono_ms() >= deadline_ms)
            err = GR_ERR_TIMEOUT;
    }
    return err;
}

/* Sends 100 Continue if the client expects it and has not begun to send its body. */
static bool tell_to_go_on(struct grc_conn *conn, struct grc_request *request)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t sent = 0;

    if (!request->expect_continue || conn->in_len > 0)
        return true;
    request->expect_continue = false;
    return send_bytes(conn, go_on, sizeof(go_on) - 1, &sent);
}

enum gr_err grc_conn_read_body(struct grc_request *request, struct grc_buf *buf,
                               int64_t deadline_ms)
{
    struct grc_conn *conn = request->conn;

    if (conn->transaction->body_done || request->content_length == 0) {
        conn->transaction->body_done = true;
        return GR_OK;
    }
    if (request->content_length > 0 && (uint64_t)request->content_length > buf->max_bytes)
        return GR_ERR_TOO_LARGE;
    if (!tell_to_go_on(conn, request))
        return GR_ERR_CANCELLED;
    enum gr_err err = request->content_length > 0 ? read_counted(conn, buf, deadline_ms)
                                                  : read_chunked(conn, buf, deadline_ms);
    conn->transaction->body_done = err == GR_OK;
    grc_conn_watch_client(conn);
    return err;
}

/* --- serving --- */

bool grc_request_given_up(const struct grc_request *request)
{
    return request->conn && atomic_load(&request->conn->http->stage) == GRC_HTTP_GIVING_UP;
}

void grc_conn_runs(const struct grc_request *request, bool runs)
{
    if (runs)
        atomic_fetch_add(&request->conn->http->running, 1);
    else
        atomic_fetch_sub(&request->conn->http->running, 1);
}

static void end(struct grc_conn *conn, bool answered, bool keep)
{
    grc_transaction_drop(conn);
    atomic_fetch_sub(&conn->http->running, 1);
    atomic_fetch_sub(&conn->http->active, 1);
    if (!answered)
        grc_conn_close(conn);
    else if (keep)
        grc_conn_go_on(conn);
    else
        grc_conn_linger(conn);
}

/* A gateway that stops keeps a connection only for what the client has sent on it already. */
static bool wanted_again(struct grc_conn *conn)
{
    int stage = atomic_load(&conn->http->stage);

    if (stage == GRC_HTTP_SERVING || stage == GRC_HTTP_GIVING_UP)
        return stage == GRC_HTTP_SERVING;
    return conn->in_len > 0 || grc_conn_fill(conn) == GRC_CAME_SOME;
}

/* Runs on a fiber, so that waits do not block a thread. */
static void serve(void *arg)
{
    struct grc_conn *conn = arg;
    const struct grc_http_handler *handler = &conn->http->handler;
    struct grc_transaction *transaction = conn->transaction;
    struct grc_request *request = &transaction->request;
    struct grc_reply *reply = &transaction->reply;
    size_t sent = 0;

    grc_conn_watch_client(conn);
    handler->serve(handler->arg, request, reply);
    grc_conn_unwatch_client(conn);
    if (reply->status < 200 || reply->status > 599)
        reply->status = 500;
    bool keep = grc_framing_keep_alive(request) && !reply->close && !reply->cut &&
                (request->content_length == 0 || transaction->body_done) && !conn->ended &&
                wanted_again(conn);
    bool ok = send_reply(conn, keep, &sent);
    if (handler->done)
        handler->done(handler->arg, request, reply, sent, ok);
    end(conn, ok, keep);
}

void grc_transaction_run(struct grc_conn *conn)
{
    atomic_fetch_add(&conn->http->active, 1);
    atomic_fetch_add(&conn->http->running, 1);
    describe(conn, &conn->transaction->request);
    if (!grc_fiber_start(conn->http->loop, serve, conn))
        serve(conn); /* without memory for a fiber's stack: on the worker's stack */
}
