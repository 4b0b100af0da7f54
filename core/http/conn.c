/*
 * Connections of clients, and what each one waits for.
 *
 * A waiting connection is parked with the loop, which calls on_event() when bytes come, or
 * on_timer() at the deadline. One of the two becomes its owner: the one that gets the watch's
 * event, or that disarms the watch under the connection's lock. The owner reads until nothing is
 * left before it parks the connection again, since the watch is edge-triggered.
 *
 * The timer is lazy: it is only set when it would fire too late, and checks the deadline when it
 * fires, so that a busy connection does not set it for each request.
 */
#include "http/internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* After the last answer the gateway reads on for this time, and up to the bytes that conn_input.c
 * allows, since the kernel resets a connection that is closed with unread bytes, and the client
 * could lose the answer. */
#define LINGER_MS 1000
/* While the gateway drains, a connection that was opened or used within this time does not count as
 * idle: a request may be on its way. */
#define DRAIN_GRACE_MS 1000
/* How long a connection over the limit may take to send its request, which is refused. */
#define OVER_MS 1000

static const char reason_too_large[] = "the head of the request is too large";

/* --- waiting --- */

static void on_event(void *arg, uint32_t events);
static void on_timer(void *arg);

/* With the lock held. */
static void set_timer(struct grc_conn *conn)
{
    if (conn->deadline_ms >= conn->timer_ms)
        return;
    if (grc_loop_timer(conn->http->loop, &conn->timer, conn->deadline_ms, on_timer, conn))
        conn->timer_ms = conn->deadline_ms;
    else
        grc_error("no memory for a time limit of a connection");
}

static bool shaking(const struct grc_conn *conn)
{
    return conn->ssl && !SSL_is_init_finished(conn->ssl);
}

/* How long a parked connection waits. */
static int64_t deadline_ms(const struct grc_conn *conn)
{
    const struct grc_http *http = conn->http;

    if (conn->phase == GRC_CONN_LINGER)
        return conn->since_ms + LINGER_MS;
    if (conn->begun_ms && conn->in_len > 0)
        return conn->begun_ms + http->header_timeout_ms;
    int64_t limit_ms = conn->kept ? http->keep_alive_timeout_ms : http->header_timeout_ms;
    int64_t most_ms = limit_ms;
    if (atomic_load(&http->stage) >= GRC_HTTP_DRAINING)
        most_ms = DRAIN_GRACE_MS;
    else if (conn->over)
        most_ms = OVER_MS;
    return conn->since_ms + (limit_ms < most_ms ? limit_ms : most_ms);
}

/* For the metrics. The owner tells whether it is in the middle of a handshake or a head. */
static void set_receiving(struct grc_conn *conn, bool receiving)
{
    if (conn->receiving == receiving)
        return;
    conn->receiving = receiving;
    if (receiving)
        atomic_fetch_add(&conn->http->receiving, 1);
    else
        atomic_fetch_sub(&conn->http->receiving, 1);
}

/* Gives the connection to the loop. Returns false if there is an event already: the caller is still
 * the owner. */
static bool park(struct grc_conn *conn)
{
    set_receiving(conn, conn->phase == GRC_CONN_HEAD && (shaking(conn) || conn->in_len > 0));
    if (conn->in_len > 0 && !conn->begun_ms)
        conn->begun_ms = grc_mono_ms();
    pthread_mutex_lock(&conn->lock);
    /* Under the lock: either this sees that a drain has begun, or the drain sees the parked
     * connection. */
    conn->deadline_ms = deadline_ms(conn);
    set_timer(conn);
    conn->parked = true;
    bool armed = grc_watch_arm(conn->watch, GRC_READ, on_event, conn);
    if (!armed)
        conn->parked = false;
    pthread_mutex_unlock(&conn->lock);
    return armed;
}

bool grc_conn_unpark(struct grc_conn *conn)
{
    bool mine = conn->parked && grc_watch_disarm(conn->watch);

    if (mine)
        conn->parked = false;
    return mine;
}

/* --- heads --- */

/* Skips one empty line before a head (RFC 9112, 2.2). */
static void skip_blank(struct grc_conn *conn)
{
    if (conn->blank || conn->in_len < 2 || memcmp(conn->in, "\r\n", 2) != 0)
        return;
    conn->blank = true;
    grc_conn_used(conn, 2);
}

/* The head is complete or wrong: in both cases there is a request to answer. */
static void begin(struct grc_conn *conn, size_t len, enum gr_err err, const char *reason)
{
    if (!grc_transaction_begin(conn, len, err, reason)) {
        grc_conn_close(conn);
        return;
    }
    grc_conn_used(conn, len);
    conn->begun_ms = 0;
    conn->blank = false;
    conn->phase = GRC_CONN_CALL;
    set_receiving(conn, false);
    if (conn->in_len == 0)
        grc_conn_drop_input(conn);
    if (conn->transaction->request.broken == GR_OK)
        grc_ready_put(conn); /* CivetWeb parses it */
    else
        grc_transaction_run(conn);
}

/* Returns true if it has begun a request: the caller is then no longer the owner. */
static bool begin_if_whole(struct grc_conn *conn)
{
    if (conn->in_len == 0)
        return false;
    skip_blank(conn);
    long len = grc_framing_scan(conn->in, conn->in_len, &conn->scanned);
    if (len > 0)
        begin(conn, (size_t)len, GR_OK, NULL);
    else if (len < 0)
        begin(conn, conn->in_len, GR_ERR_BAD_REQUEST, "the head of the request is malformed");
    else if (conn->in_len >= conn->http->head_max)
        begin(conn, conn->in_len, GR_ERR_HEADERS, reason_too_large);
    else
        return false;
    return true;
}

void grc_conn_refuse(const struct grc_conn *conn, int status, const char *reason)
{
    const struct grc_http_handler *handler = &conn->http->handler;

    if (handler->refused)
        handler->refused(handler->arg, conn->peer, status, reason);
}

/* Logs a failed handshake. A client that sent HTTP to an HTTPS port gets an answer. */
static void end_in_trouble(struct grc_conn *conn)
{
    bool spoke_http = false;
    const char *reason = grc_stream_trouble(conn, &spoke_http);

    if (reason && spoke_http) {
        grc_conn_refuse(conn, 400, "HTTP on an HTTPS port");
        grc_stream_answer_plainly(conn);
        grc_conn_linger(conn);
        return;
    }
    if (reason)
        grc_conn_refuse(conn, 0, reason);
    grc_conn_close(conn);
}

static void end_of_input(struct grc_conn *conn)
{
    if (conn->in_len > 0 && !shaking(conn))
        begin(conn, conn->in_len, GR_ERR_BAD_REQUEST, "the head of the request ended early");
    else
        grc_conn_close(conn);
}

/* Whether the gateway drains and the connection has been idle for long enough to be closed. */
static bool idles_in_drain(const struct grc_conn *conn)
{
    return conn->in_len == 0 && atomic_load(&conn->http->stage) >= GRC_HTTP_DRAINING &&
           grc_mono_ms() >= deadline_ms(conn);
}

/* true: the header has been taken. Else the connection waits for it, or is closed. */
static bool pass_proxy_header(struct grc_conn *conn)
{
    for (;;) {
        switch (grc_conn_take_proxy_header(conn)) {
        case GRC_CAME_SOME:
            return true;
        case GRC_CAME_NONE:
            if (park(conn))
                return false;
            break;
        case GRC_CAME_END:
        case GRC_CAME_TROUBLE:
            grc_conn_close(conn);
            return false;
        }
    }
}

/*
 * Whether a read would find nothing: the last one took less than there was room for, so it emptied
 * the socket, and what comes later makes an event. A hang-up may have been reported together with
 * the bytes that were read, without another event; then only a read finds the end. In a drain, an
 * idle connection is closed, and events that no worker has taken yet must not be lost.
 */
static bool nothing_to_read(struct grc_conn *conn)
{
    bool drained = conn->drained && !grc_watch_hung_up(conn->watch) &&
                   atomic_load(&conn->http->stage) < GRC_HTTP_DRAINING;

    conn->drained = false;
    return drained;
}

static void look_for_head(struct grc_conn *conn)
{
    if (conn->proxied && !pass_proxy_header(conn))
        return;
    for (;;) {
        if (begin_if_whole(conn))
            return;
        switch (nothing_to_read(conn) ? GRC_CAME_NONE : grc_conn_fill(conn)) {
        case GRC_CAME_SOME:
            break;
        case GRC_CAME_NONE:
            if (conn->in_len == 0) {
                grc_conn_drop_input(conn);
                if (!shaking(conn))
                    conn->begun_ms = 0;
                if (idles_in_drain(conn)) {
                    grc_conn_linger(conn);
                    return;
                }
            }
            if (park(conn))
                return;
            break;
        case GRC_CAME_END:
            end_of_input(conn);
            return;
        case GRC_CAME_TROUBLE:
            end_in_trouble(conn);
            return;
        }
    }
}

/* --- the end --- */

static void go_on_lingering(struct grc_conn *conn)
{
    while (grc_conn_throw_away(conn)) {
        if (park(conn))
            return;
    }
    grc_conn_close(conn);
}

/* From now on a stop does not wait for this connection. */
static void count_finished(struct grc_conn *conn)
{
    if (!conn->late)
        atomic_fetch_sub(&conn->http->unfinished, 1);
}

void grc_conn_linger(struct grc_conn *conn)
{
    grc_conn_drop_input(conn);
    conn->phase = GRC_CONN_LINGER;
    set_receiving(conn, false);
    atomic_fetch_add(&conn->http->closing, 1);
    conn->since_ms = grc_mono_ms();
    conn->thrown_away = 0;
    grc_stream_end(conn);
    count_finished(conn);
    go_on_lingering(conn);
}

void grc_conn_close(struct grc_conn *conn)
{
    struct grc_http *http = conn->http;
    bool lingered = conn->phase == GRC_CONN_LINGER;

    if (!lingered)
        grc_stream_end(conn);
    pthread_mutex_lock(&conn->lock);
    conn->parked = false;
    grc_watch_close(conn->watch);
    conn->watch = NULL;
    if (conn->timer_ms != GRC_NEVER_MS)
        grc_loop_timer_clear(http->loop, &conn->timer);
    conn->timer_ms = GRC_NEVER_MS;
    int fd = conn->fd;
    conn->fd = -1;
    pthread_mutex_unlock(&conn->lock);
    grc_conn_drop_input(conn);
    SSL_free(conn->ssl);
    conn->ssl = NULL;
    close(fd);
    conn->phase = GRC_CONN_FREE;
    set_receiving(conn, false);
    atomic_fetch_sub(&http->open, 1);
    if (lingered)
        atomic_fetch_sub(&http->closing, 1);
    else
        count_finished(conn);
    grc_conns_give(http, conn);
    grc_door_left(http);
}

/* --- events --- */

void grc_conn_go_on(struct grc_conn *conn)
{
    if (conn->phase == GRC_CONN_LINGER) {
        go_on_lingering(conn);
        return;
    }
    if (conn->phase == GRC_CONN_CALL) { /* its answer has been sent */
        conn->phase = GRC_CONN_HEAD;
        conn->kept = true;
        conn->since_ms = grc_mono_ms();
        conn->begun_ms = conn->in_len ? conn->since_ms : 0;
    }
    look_for_head(conn);
}

static void on_event(void *arg, uint32_t events)
{
    struct grc_conn *conn = arg;

    (void)events;
    pthread_mutex_lock(&conn->lock);
    conn->parked = false;
    pthread_mutex_unlock(&conn->lock);
    conn->drained = false;
    grc_conn_go_on(conn);
}

/* The deadline of a parked connection has passed. */
static void give_up(struct grc_conn *conn)
{
    if (conn->phase == GRC_CONN_HEAD && conn->proxied)
        grc_conn_refuse(conn, 0, "no header of the PROXY protocol came");
    else if (conn->phase == GRC_CONN_HEAD && shaking(conn))
        grc_conn_refuse(conn, 0, "the TLS handshake did not end");
    else if (conn->phase == GRC_CONN_HEAD && conn->in_len > 0) {
        begin(conn, conn->in_len, GR_ERR_TIMEOUT, "the head of the request took too long");
        return;
    } else if (conn->phase == GRC_CONN_HEAD && grc_conn_fill(conn) == GRC_CAME_SOME) {
        look_for_head(conn); /* a request came at the last moment */
        return;
    }
    grc_conn_close(conn);
}

static void on_timer(void *arg)
{
    struct grc_conn *conn = arg;
    bool mine = false;

    pthread_mutex_lock(&conn->lock);
    conn->timer_ms = GRC_NEVER_MS;
    if (conn->parked && conn->deadline_ms <= grc_mono_ms())
        mine = grc_conn_unpark(conn);
    else if (conn->parked)
        set_timer(conn);
    pthread_mutex_unlock(&conn->lock);
    if (mine)
        give_up(conn);
}

/* --- the beginning --- */

bool grc_conn_open(struct grc_http *http, size_t listener, int fd, const char *peer, bool late)
{
    struct grc_conn *conn = grc_conns_take(http);

    if (!conn)
        return false;
    conn->watch = grc_watch_open(http->loop, fd);
    conn->ssl = http->listeners[listener].tls ? grc_tls_accept(http->tls, fd) : NULL;
    if (!conn->watch || (http->listeners[listener].tls && !conn->ssl)) {
        if (conn->watch)
            grc_watch_close(conn->watch);
        conn->watch = NULL;
        grc_conns_give(http, conn);
        return false;
    }
    conn->http = http;
    pthread_mutex_lock(&conn->lock);
    conn->fd = fd;
    pthread_mutex_unlock(&conn->lock);
    conn->listener = (uint8_t)listener;
    conn->timer_ms = GRC_NEVER_MS;
    conn->watched = false;
    conn->ended = false;
    conn->half_closed = false;
    conn->blank = false;
    conn->kept = false;
    conn->drained = false;
    conn->late = late;
    conn->over = atomic_load(&http->open) >= http->connections_max;
    conn->ready_us = 0;
    conn->begun_ms = 0;
    conn->since_ms = grc_mono_ms();
    snprintf(conn->peer, sizeof(conn->peer), "%s", peer);
    conn->client[0] = '\0';
    conn->proxied = http->listeners[listener].proxy_protocol;
    conn->phase = GRC_CONN_HEAD;
    atomic_fetch_add(&http->open, 1);
    if (!late)
        atomic_fetch_add(&http->unfinished, 1);
    if (!park(conn))
        grc_ready_put(conn); /* the client has already sent something */
    return true;
}
