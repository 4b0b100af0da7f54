#include "upstream/connection.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Under load a connection is used again within this time, and events are taken faster. */
#define NEWS_MS 5
#define LIFETIME_MAX_MS (GRC_CONNECTION_LIFETIME_S * INT64_C(1000))

/* --- bytes --- */

static enum grc_io io_of_curl(CURLcode code)
{
    if (code == CURLE_OK)
        return GRC_IO_DONE;
    return code == CURLE_AGAIN ? GRC_IO_AGAIN : GRC_IO_FAILED;
}

static enum grc_io io_of_errno(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? GRC_IO_AGAIN : GRC_IO_FAILED;
}

enum grc_io grc_connection_send(struct grc_connection *connection, gr_str bytes, size_t *ret_sent)
{
    *ret_sent = 0;
    if (connection->easy)
        return io_of_curl(grc_curl()->easy_send(connection->easy, bytes.ptr, bytes.len, ret_sent));
    ssize_t sent = send(connection->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0)
        return io_of_errno();
    *ret_sent = (size_t)sent;
    return GRC_IO_DONE;
}

enum grc_io grc_connection_receive(struct grc_connection *connection, char *bytes, size_t max,
                                   size_t *ret_count)
{
    *ret_count = 0;
    if (connection->easy) {
        enum grc_io io = io_of_curl(grc_curl()->easy_recv(connection->easy, bytes, max, ret_count));
        return io == GRC_IO_DONE && *ret_count == 0 ? GRC_IO_CLOSED : io;
    }
    ssize_t count = recv(connection->fd, bytes, max, MSG_DONTWAIT);

    connection->drained = count > 0 && (size_t)count < max;
    if (count < 0)
        return io_of_errno();
    *ret_count = (size_t)count;
    return count ? GRC_IO_DONE : GRC_IO_CLOSED;
}

enum grc_woken grc_connection_wait(struct grc_connection *connection, uint32_t events,
                                   int64_t deadline_ms)
{
    if (!connection->watch)
        connection->watch = grc_wait_open(connection->fd);
    if (connection->watch)
        return grc_wait_watch(connection->watch, events, deadline_ms, GRC_WAITS_UPSTREAM);
    return grc_wait_fd(connection->fd, events, deadline_ms, GRC_WAITS_UPSTREAM);
}

/* --- unused connections --- */

/*
 * True when nothing has come since the last answer. Anything that has come cannot belong to the
 * next answer: the end of the stream, an error, or unexpected bytes.
 *
 * A look costs a system call. It is saved when the socket was seen empty after the last answer, and
 * that is less than NEWS_MS ago and no event of it has come since. An event may wait for a worker,
 * so this is only for requests that may be sent again on another connection. Bytes that come
 * between a look and the request are not seen in either case.
 */
static bool is_silent(struct grc_connection *connection, bool repeatable, int64_t now_ms)
{
    char byte;
    size_t count;

    if (connection->drained && repeatable && connection->watch &&
        now_ms - connection->idle.since_ms < NEWS_MS && !grc_watch_has_news(connection->watch))
        return true;
    if (connection->easy) /* libcurl handles TLS records without data, such as session tickets */
        return grc_connection_receive(connection, &byte, 1, &count) == GRC_IO_AGAIN;
    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           io_of_errno() == GRC_IO_AGAIN;
}

struct grc_connection *grc_connection_take(struct grc_upstream *upstream, bool repeatable)
{
    int64_t now_ms = grc_mono_ms();

    for (;;) {
        struct grc_connection *connection =
            (struct grc_connection *)grc_idle_take(&upstream->connections);

        if (!connection)
            return NULL;
        if (now_ms - connection->idle.since_ms < connection->idle_max_ms &&
            now_ms - connection->born_ms <= LIFETIME_MAX_MS &&
            is_silent(connection, repeatable, now_ms))
            return connection;
        grc_connection_free(connection);
    }
}

void grc_connection_give(struct grc_upstream *upstream, struct grc_connection *connection)
{
    int64_t idle_ms = upstream->settings->idle_timeout_ms;

    connection->reused = true;
    grc_connection_free(
        (struct grc_connection *)grc_idle_give(&upstream->connections, &connection->idle, idle_ms));
}

void grc_connections_free(struct grc_upstream *upstream)
{
    for (;;) {
        struct grc_connection *connection =
            (struct grc_connection *)grc_idle_take(&upstream->connections);
        if (!connection)
            return;
        grc_connection_free(connection);
    }
}

void grc_connection_free(struct grc_connection *connection)
{
    if (!connection)
        return;
    grc_watch_close(connection->watch);
    if (connection->easy) {
        grc_curl()->multi_remove_handle(connection->multi,
                                        connection->easy); /* closes the socket */
        grc_curl()->easy_cleanup(connection->easy);
        grc_curl()->multi_cleanup(connection->multi);
    } else if (connection->fd >= 0) {
        close(connection->fd);
    }
    free(connection);
}
