/*
 * Connections: what each one waits for, and for how long.
 *
 * A connection is parked with the loop, which calls on_event() when bytes come, or on_timer() when
 * it has waited for too long. One of the two wins and owns it from then on: it takes the watch's
 * event, or disarms the watch under the connection's lock. An owner reads until nothing is left
 * before it parks again, so that an edge of the loop is never missed.
 *
 * The timer is lazy: it is set only when it would go off too late, and looks at the deadline when
 * it does, so that a busy connection does not set it with each request. A slot is never freed: a
 * timer that comes late finds another connection's deadline there, and keeps to that.
 */
#include "http/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "http/proxy_header.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_BYTES ((size_t)4096)
/* A client that is told why it is refused may go on sending for this long and this much, so that
 * the answer arrives before the reset that the kernel sends for unread bytes. */
#define LINGER_MS 1000
#define LINGER_BYTES ((size_t)4 * 1024 * 1024)
/* While the gateway drains, a connection that was opened or used within this time is not idle yet:
 * its client may have sent a request that has not arrived. */
#define DRAIN_GRACE_MS 1000
/* How long one that is refused may take to send its request. */
#define OVER_MS 1000

static const char reason_too_large[] = "the head of the request is too large";

/* Throws away what came. true: more may come. */
static bool throw_away(struct grc_conn *conn)
{
    char waste[4096];
    ssize_t got;

    do {
        got = grc_stream_read(conn, waste, sizeof(waste));
        if (got > 0)
            conn->thrown_away += (size_t)got;
    } while (got > 0 && conn->thrown_away <= LINGER_BYTES);
    return got == GRC_STREAM_AGAIN;
}

/* --- the table --- */

bool grc_conns_new(struct grc_http *http, size_t max)
{
    /* Pages of slots that were never used cost nothing. */
    void *table = mmap(NULL, max * sizeof(struct grc_conn), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (table == MAP_FAILED)
        return false;
    http->conns = table;
    http->conns_max = max;
    return true;
}

void grc_conns_free(struct grc_http *http)
{
    for (size_t i = 0; i < http->conns_used; i++) {
        struct grc_conn *conn = &http->conns[i];

        /* What a client has sent in vain would reset the connection, and take the last answer from
         * it. */
        if (conn->phase == GRC_CONN_LINGER)
            (void)throw_away(conn);
        if (conn->phase != GRC_CONN_FREE)
            grc_conn_close(conn);
        pthread_mutex_destroy(&conn->lock);
    }
    if (http->conns)
        munmap(http->conns, http->conns_max * sizeof(struct grc_conn));
    http->conns = NULL;
}

static struct grc_conn *take_slot(struct grc_http *http)
{
    pthread_mutex_lock(&http->lock);
    struct grc_conn *conn = http->free_conns;
    if (conn) {
        http->free_conns = conn->next;
    } else if (http->conns_used < http->conns_max) {
        conn = &http->conns[http->conns_used++];
        pthread_mutex_init(&conn->lock, NULL);
        conn->fd = -1;
    }
    pthread_mutex_unlock(&http->lock);
    return conn;
}

bool grc_conns_room(struct grc_http *http)
{
    pthread_mutex_lock(&http->lock);
    bool room = http->free_conns || http->conns_used < http->conns_max;
    pthread_mutex_unlock(&http->lock);
    return room;
}

static void give_slot(struct grc_http *http, struct grc_conn *conn)
{
    pthread_mutex_lock(&http->lock);
    conn->next = http->free_conns;
    http->free_conns = conn;
    pthread_mutex_unlock(&http->lock);
}

/* --- bytes that came --- */

static void drop_input(struct grc_conn *conn)
{
    free(conn->in);
    conn->in = NULL;
    conn->in_len = 0;
    conn->in_cap = 0;
    conn->scanned = 0;
}

/* Room for more, never beyond what a head may have. */
static bool reserve_input(struct grc_conn *conn)
{
    size_t max = conn->http->head_max + 2; /* with the empty line that may stand in front */
    size_t cap = conn->in_cap ? conn->in_cap * 2 : FIRST_BYTES;

    if (conn->in_len < conn->in_cap)
        return true;
    cap = cap < max ? cap : max;
    if (cap <= conn->in_cap)
        return false;
    char *in = realloc(conn->in, cap);
    if (!in)
        return false;
    conn->in = in;
    conn->in_cap = cap;
    return true;
}

enum grc_came grc_conn_fill(struct grc_conn *conn)
{
    if (conn->ended)
        return GRC_CAME_END;
    if (!reserve_input(conn))
        return GRC_CAME_TROUBLE;
    size_t room = conn->in_cap - conn->in_len;
    ssize_t got = grc_stream_read(conn, conn->in + conn->in_len, room);
    if (got > 0) {
        conn->in_len += (size_t)got;
        if (!conn->begun_ms)
            conn->begun_ms = grc_mono_ms();
        return GRC_CAME_SOME;
    }
    if (got < 0)
        return got == GRC_STREAM_AGAIN ? GRC_CAME_NONE : GRC_CAME_TROUBLE;
    conn->ended = true;
    return GRC_CAME_END;
}

void grc_conn_used(struct grc_conn *conn, size_t count)
{
    conn->in_len -= count;
    if (conn->in_len > 0)
        memmove(conn->in, conn->in + count, conn->in_len);
    conn->scanned = 0;
}

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

/* Until when a parked connection waits. */
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

/* The owner lets go. false: there is something already, and it is the owner still. */
static bool park(struct grc_conn *conn)
{
    set_receiving(conn, conn->phase == GRC_CONN_HEAD && (shaking(conn) || conn->in_len > 0));
    pthread_mutex_lock(&conn->lock);
    /* Under the lock: either this sees that a drain has begun, or the drain sees it parked. */
    conn->deadline_ms = deadline_ms(conn);
    set_timer(conn);
    conn->parked = true;
    bool armed = grc_watch_arm(conn->watch, GRC_READ, on_event, conn);
    if (!armed)
        conn->parked = false;
    pthread_mutex_unlock(&conn->lock);
    return armed;
}

/* Takes a connection away from the loop, if it is parked. */
static bool unpark(struct grc_conn *conn)
{
    bool mine = conn->parked && grc_watch_disarm(conn->watch);

    if (mine)
        conn->parked = false;
    return mine;
}

/* --- clients that leave while their request is served --- */

/*
 * A client that has only ended its sending may still read. Its request is given up where it can be
 * asked again without harm; others go on, since what they changed would be lost on the client.
 */
bool grc_conn_gone(const struct grc_request *request)
{
    struct pollfd fd = {.fd = request->conn ? request->conn->fd : -1, .events = POLLRDHUP};
    int gone = POLLHUP | POLLERR | POLLNVAL;

    if (request->method == GR_METHOD_GET)
        gone |= POLLRDHUP;
    return fd.fd >= 0 && poll(&fd, 1, 0) == 1 && (fd.revents & gone) != 0;
}

/* Each wait that was begun and is not disarmed in time calls this once. */
static void on_hangup(void *arg, uint32_t events)
{
    struct grc_conn *conn = arg;
    struct grc_fiber_ref caller = {NULL, 0};

    (void)events;
    pthread_mutex_lock(&conn->lock);
    if (conn->owed > 0) {
        conn->owed--;
    } else if (conn->watched) {
        conn->watched = false;
        if (grc_conn_gone(&conn->transaction->request))
            caller = conn->caller;
    }
    pthread_mutex_unlock(&conn->lock);
    if (caller.fiber)
        grc_fiber_cancel(caller);
}

void grc_conn_watch_client(struct grc_conn *conn)
{
    struct grc_fiber_ref caller = grc_fiber_ref();

    if (!caller.fiber)
        return; /* on a thread nothing can be cancelled */
    pthread_mutex_lock(&conn->lock);
    conn->caller = caller;
    /* One that had ended its sending before it could be served waits for the answer. */
    conn->watched = grc_watch_arm(conn->watch, GRC_HANGUP, on_hangup, conn);
    pthread_mutex_unlock(&conn->lock);
}

void grc_conn_unwatch_client(struct grc_conn *conn)
{
    pthread_mutex_lock(&conn->lock);
    if (conn->watched && !grc_watch_disarm(conn->watch))
        conn->owed++;
    conn->watched = false;
    pthread_mutex_unlock(&conn->lock);
}

/* --- heads --- */

/* An empty line in front of a head is passed over (RFC 9112, 2.2), but only one. */
static void skip_blank(struct grc_conn *conn)
{
    if (conn->blank || conn->in_len < 2 || memcmp(conn->in, "\r\n", 2) != 0)
        return;
    conn->blank = true;
    grc_conn_used(conn, 2);
}

/* The head is complete, or it will never be one: the connection has a request to answer. */
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
        drop_input(conn);
    if (conn->transaction->request.broken == GR_OK)
        grc_ready_put(conn); /* through CivetWeb's parser */
    else
        grc_transaction_run(conn);
}

/* true: it has begun a request, and is not ours any more. */
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

static void refuse(const struct grc_conn *conn, int status, const char *reason)
{
    const struct grc_http_handler *handler = &conn->http->handler;

    if (handler->refused)
        handler->refused(handler->arg, conn->peer, status, reason);
}

/* A handshake that failed is logged; HTTP in its place gets an answer that says so. */
static void end_in_trouble(struct grc_conn *conn)
{
    bool spoke_http = false;
    const char *reason = grc_stream_trouble(conn, &spoke_http);

    if (reason && spoke_http) {
        refuse(conn, 400, "HTTP on an HTTPS port");
        grc_stream_answer_plainly(conn);
        grc_conn_linger(conn);
        return;
    }
    if (reason)
        refuse(conn, 0, reason);
    grc_conn_close(conn);
}

static void end_of_input(struct grc_conn *conn)
{
    if (conn->in_len > 0 && !shaking(conn))
        begin(conn, conn->in_len, GR_ERR_BAD_REQUEST, "the head of the request ended early");
    else
        grc_conn_close(conn);
}

/* Nothing has come, and the gateway that drains need not wait for it any longer. */
static bool idles_in_drain(const struct grc_conn *conn)
{
    return conn->in_len == 0 && atomic_load(&conn->http->stage) >= GRC_HTTP_DRAINING &&
           grc_mono_ms() >= deadline_ms(conn);
}

/* What is read from the socket itself has to be the header: TLS begins behind it. It is looked at
 * where it lies, so that not a byte of what follows is taken with it. */
static enum grc_came take_proxy_header(struct grc_conn *conn)
{
    char bytes[GRC_PROXY_HEADER_MAX];
    char text[GRC_IP_TEXT_SIZE];
    struct grc_proxy_header header;
    ssize_t got = recv(conn->fd, bytes, sizeof(bytes), MSG_PEEK);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? GRC_CAME_NONE : GRC_CAME_TROUBLE;
    if (got == 0)
        return GRC_CAME_END;
    switch (grc_proxy_header_read(bytes, (size_t)got, &header)) {
    case GRC_PROXY_MORE:
        return GRC_CAME_NONE;
    case GRC_PROXY_WRONG:
        refuse(conn, 0, "the connection does not begin with a header of the PROXY protocol");
        return GRC_CAME_END;
    case GRC_PROXY_WHOLE:
        break;
    }
    if (recv(conn->fd, bytes, header.len, 0) != (ssize_t)header.len)
        return GRC_CAME_TROUBLE;
    if (header.names_client) {
        gr_str address = grc_ip_text(&header.client, text);

        snprintf(conn->client, sizeof(conn->client), "%.*s", (int)address.len, address.ptr);
    }
    conn->proxied = false;
    return GRC_CAME_SOME;
}

/* true: the header has been taken. Else the connection waits for it, or is closed. */
static bool pass_proxy_header(struct grc_conn *conn)
{
    for (;;) {
        switch (take_proxy_header(conn)) {
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

static void look_for_head(struct grc_conn *conn)
{
    if (conn->proxied && !pass_proxy_header(conn))
        return;
    for (;;) {
        if (begin_if_whole(conn))
            return;
        switch (grc_conn_fill(conn)) {
        case GRC_CAME_SOME:
            break;
        case GRC_CAME_NONE:
            if (conn->in_len == 0) {
                drop_input(conn);
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
    while (throw_away(conn)) {
        if (park(conn))
            return;
    }
    grc_conn_close(conn);
}

/* Nothing has to be waited for any more before the gateway may end. */
static void count_finished(struct grc_conn *conn)
{
    if (!conn->late)
        atomic_fetch_sub(&conn->http->unfinished, 1);
}

void grc_conn_linger(struct grc_conn *conn)
{
    drop_input(conn);
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
    drop_input(conn);
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
    give_slot(http, conn);
    grc_door_left(http);
}

/* --- events --- */

void grc_conn_go_on(struct grc_conn *conn)
{
    if (conn->phase == GRC_CONN_LINGER) {
        go_on_lingering(conn);
        return;
    }
    if (conn->phase == GRC_CONN_CALL) { /* its answer has left */
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
    grc_conn_go_on(conn);
}

/* A connection has waited for too long. */
static void give_up(struct grc_conn *conn)
{
    if (conn->phase == GRC_CONN_HEAD && conn->proxied)
        refuse(conn, 0, "no header of the PROXY protocol came");
    else if (conn->phase == GRC_CONN_HEAD && shaking(conn))
        refuse(conn, 0, "the TLS handshake did not end");
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
        mine = unpark(conn);
    else if (conn->parked)
        set_timer(conn);
    pthread_mutex_unlock(&conn->lock);
    if (mine)
        give_up(conn);
}

static size_t slots_used(struct grc_http *http)
{
    pthread_mutex_lock(&http->lock);
    size_t used = http->conns_used;
    pthread_mutex_unlock(&http->lock);
    return used;
}

void grc_conns_cancel(struct grc_http *http)
{
    size_t used = slots_used(http);

    for (size_t i = 0; i < used; i++) {
        struct grc_conn *conn = &http->conns[i];

        pthread_mutex_lock(&conn->lock);
        struct grc_fiber_ref caller = conn->caller; /* of a call that may have ended */
        pthread_mutex_unlock(&conn->lock);
        if (caller.fiber)
            grc_fiber_cancel(caller);
    }
}

void grc_conns_break(struct grc_http *http)
{
    size_t used = slots_used(http);

    for (size_t i = 0; i < used; i++) {
        struct grc_conn *conn = &http->conns[i];

        pthread_mutex_lock(&conn->lock);
        if (conn->fd >= 0)
            (void)shutdown(conn->fd, SHUT_RDWR);
        pthread_mutex_unlock(&conn->lock);
    }
}

void grc_conns_drain(struct grc_http *http)
{
    size_t used = slots_used(http);

    for (size_t i = 0; i < used; i++) {
        struct grc_conn *conn = &http->conns[i];

        pthread_mutex_lock(&conn->lock);
        bool mine = unpark(conn);
        pthread_mutex_unlock(&conn->lock);
        if (mine)
            grc_ready_put(conn); /* a worker serves what has come by now, or ends it */
    }
}

/* --- the beginning --- */

bool grc_conn_open(struct grc_http *http, size_t listener, int fd, const char *peer, bool late)
{
    struct grc_conn *conn = take_slot(http);

    if (!conn)
        return false;
    conn->watch = grc_watch_open(http->loop, fd);
    conn->ssl = http->listeners[listener].tls ? grc_tls_accept(http->tls, fd) : NULL;
    if (!conn->watch || (http->listeners[listener].tls && !conn->ssl)) {
        if (conn->watch)
            grc_watch_close(conn->watch);
        conn->watch = NULL;
        give_slot(http, conn);
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
    conn->blank = false;
    conn->kept = false;
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
        grc_ready_put(conn); /* it sent something at once */
    return true;
}
