/*
 * The table of connections, and what is done with all of them. Slots are never freed: a late timer
 * may find the deadline of the next connection in the slot, and then waits for that.
 */
#include "http/internal.h"

#include <sys/mman.h>
#include <sys/socket.h>

bool grc_conns_new(struct grc_http *http, size_t max)
{
    /* Pages of slots that were never used take no memory. */
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

        /* With unread bytes the connection would be reset, and the client could lose the answer. */
        if (conn->phase == GRC_CONN_LINGER)
            (void)grc_conn_throw_away(conn);
        grc_transaction_drop(conn); /* of a request that no worker has begun to serve */
        if (conn->phase != GRC_CONN_FREE)
            grc_conn_close(conn);
        pthread_mutex_destroy(&conn->lock);
    }
    if (http->conns)
        munmap(http->conns, http->conns_max * sizeof(struct grc_conn));
    http->conns = NULL;
}

struct grc_conn *grc_conns_take(struct grc_http *http)
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

void grc_conns_give(struct grc_http *http, struct grc_conn *conn)
{
    pthread_mutex_lock(&http->lock);
    conn->next = http->free_conns;
    http->free_conns = conn;
    pthread_mutex_unlock(&http->lock);
}

/* --- all of them --- */

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
        struct grc_fiber_ref caller = conn->caller; /* its call may have ended */
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
        bool mine = grc_conn_unpark(conn);
        pthread_mutex_unlock(&conn->lock);
        if (mine)
            grc_ready_put(conn); /* a worker serves a request that has come, or closes it */
    }
}
