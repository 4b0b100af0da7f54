/* Bodies in and answers out, in bounded time, through CivetWeb's reads and writes. */
#include "http/civetweb.h"

#include "base/clock.h"

#include <poll.h>

#define BODY_STEP_BYTES ((size_t)16 * 1024)
/* Without a deadline inside of CivetWeb's reads, small steps are what bounds a trickled body. */
#define BLIND_STEP_BYTES 16u
/* A reader must take each piece within the grace, which is short where workers are scarce, and the
 * whole at 64 KiB/s on average. */
#define WRITE_GRACE_MS 10000
#define WRITE_GRACE_SCARCE_MS 2500
#define WRITE_PIECE ((size_t)256 * 1024)
#define WRITE_BYTES_PER_MS 64

/* --- answers --- */

/* How long a client may take for the next piece of an answer. */
static int64_t write_grace_ms(struct grc_http *http)
{
    return grc_http_load(&http->occupied) > http->workers - http->spare ? WRITE_GRACE_SCARCE_MS
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

bool grc_conn_send(struct grc_conn *conn, const char *bytes, size_t count, size_t *ret_sent)
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
        if (!grc_conn_send(conn, go_on, sizeof(go_on) - 1, &sent))
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

/* --- the socket --- */

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
