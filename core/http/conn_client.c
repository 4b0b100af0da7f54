/* Clients that leave while their request is served. */
#include "http/internal.h"

#include <poll.h>

/*
 * A client that ends its sending together with its request waits for the answer. One that does so
 * later has probably left, but may still read the answer: its request is cancelled only if it can
 * safely be repeated; for others the client should learn the outcome.
 */
bool grc_conn_gone(const struct grc_request *request)
{
    struct pollfd fd = {.fd = request->conn ? request->conn->fd : -1, .events = POLLRDHUP};
    int gone = POLLHUP | POLLERR | POLLNVAL;

    if (request->method == GR_METHOD_GET && request->conn && !request->conn->half_closed)
        gone |= POLLRDHUP;
    return fd.fd >= 0 && poll(&fd, 1, 0) == 1 && (fd.revents & gone) != 0;
}

/* Is called once for each watch that was armed and not disarmed in time. */
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
        return; /* only a fiber can be cancelled */
    pthread_mutex_lock(&conn->lock);
    conn->caller = caller;
    conn->watched = grc_watch_arm(conn->watch, GRC_HANGUP, on_hangup, conn);
    conn->half_closed = !conn->watched;
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
