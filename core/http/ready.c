#include "http/internal.h"

#include "base/clock.h"
#include "loop/fiber.h"

static _Thread_local bool is_worker;

/* These are not inlined, since their caller may be a fiber, which can change its thread. */

__attribute__((noinline)) void grc_ready_attach(bool worker)
{
    is_worker = worker;
}

__attribute__((noinline)) static bool on_worker(void)
{
    return is_worker;
}

void grc_ready_put(struct grc_conn *conn)
{
    struct grc_http *http = conn->http;

    conn->next = NULL;
    /* On a fiber, a head is ready because the request before it has ended, not because of the event
     * that resumed the fiber. */
    const int64_t event_us = grc_fiber_self() ? 0 : grc_loop_event_us();
    conn->ready_us = !conn->transaction ? 0 : event_us ? event_us : grc_mono_us();
    pthread_mutex_lock(&http->lock);
    if (http->ready.last)
        http->ready.last->next = conn;
    else
        http->ready.first = conn;
    http->ready.last = conn;
    unsigned before = atomic_fetch_add(&http->ready_count, 1);
    pthread_mutex_unlock(&http->lock);
    /* If this thread is a worker, it takes the first connection itself after its current step. */
    grc_loop_offer(http->loop, before > 0 || !on_worker());
}

struct grc_conn *grc_ready_take(struct grc_http *http)
{
    if (atomic_load(&http->ready_count) == 0)
        return NULL;
    pthread_mutex_lock(&http->lock);
    struct grc_conn *conn = http->ready.first;
    if (conn) {
        http->ready.first = conn->next;
        if (!http->ready.first)
            http->ready.last = NULL;
        atomic_fetch_sub(&http->ready_count, 1);
    }
    pthread_mutex_unlock(&http->lock);
    /* This worker is busy from now on: another one takes what is left. */
    if (conn)
        grc_loop_accept(http->loop);
    return conn;
}
