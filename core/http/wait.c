/* The fortified poll() and recv() of the headers are inline functions of the names defined here. */
#undef _FORTIFY_SOURCE

#include "http/wait.h"

#include "base/clock.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GRC_EXPORT __attribute__((visibility("default")))
/* How soon a waiting thread notices that it should stop, or that workers became scarce. */
#define SLICE_MS 60

typedef int poll_fn(struct pollfd *fds, nfds_t count, int timeout_ms);
typedef ssize_t recv_fn(int fd, void *buffer, size_t size, int flags);

GRC_EXPORT poll_fn poll;
GRC_EXPORT recv_fn recv;

static _Thread_local struct grc_wait *current;

/* The C library's own, or a sanitizer's in front of it. */
static void *next_symbol(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found)
        abort();
    return found;
}

static poll_fn *real_poll(void)
{
    static _Atomic(poll_fn *) cached;
    poll_fn *fn = atomic_load_explicit(&cached, memory_order_relaxed);

    if (!fn) {
        void *found = next_symbol("poll");

        memcpy(&fn, &found, sizeof(fn));
        atomic_store_explicit(&cached, fn, memory_order_relaxed);
    }
    return fn;
}

static recv_fn *real_recv(void)
{
    static _Atomic(recv_fn *) cached;
    recv_fn *fn = atomic_load_explicit(&cached, memory_order_relaxed);

    if (!fn) {
        void *found = next_symbol("recv");

        memcpy(&fn, &found, sizeof(fn));
        atomic_store_explicit(&cached, fn, memory_order_relaxed);
    }
    return fn;
}

void grc_wait_attach(struct grc_wait *wait)
{
    current = wait;
}

void grc_wait_next(struct grc_wait *wait, bool new_connection)
{
    wait->mode = GRC_WAIT_HEAD;
    wait->since_ms = 0;
    wait->busy_ms = 0;
    wait->head_begun = false;
    wait->head_full = false;
    wait->expired = false;
    if (new_connection) {
        wait->fd = -1;
        wait->tls = false;
    }
}

/* Milliseconds until this wait has to end in failure; INT64_MAX: as far as this module cares,
 * never. */
static int64_t time_left(const struct grc_wait *wait, int64_t now_ms)
{
    int64_t end_ms = INT64_MAX;

    if (wait->mode == GRC_WAIT_BODY || wait->mode == GRC_WAIT_WRITE)
        end_ms = wait->deadline_ms;
    if (wait->mode == GRC_WAIT_HEAD && wait->patience_ms) {
        int64_t patience_ms = wait->patience_ms(wait->arg, wait->head_begun);

        if (patience_ms >= 0)
            end_ms = (wait->busy_ms ? wait->busy_ms : wait->since_ms) + patience_ms;
    }
    if (end_ms == INT64_MAX)
        return INT64_MAX;
    return end_ms > now_ms ? end_ms - now_ms : 0;
}

/* Ends a wait in the way that makes CivetWeb give up at once in each of its phases. */
static int give_up(struct grc_wait *wait, struct pollfd *fds)
{
    wait->expired = true;
    if (wait->mode == GRC_WAIT_WRITE) {
        /* It would try to send again for as long as its own timeout: let that fail. */
        shutdown(fds[0].fd, SHUT_RDWR);
        fds[0].revents = POLLOUT | POLLHUP;
        return 1;
    }
    errno = ETIMEDOUT;
    return -1;
}

/* The client has something to say. A head that comes byte by byte is over when patience is; one
 * that just begins never is. */
static bool may_read(struct grc_wait *wait)
{
    int64_t now_ms = grc_mono_ms();

    if (wait->mode == GRC_WAIT_HEAD && wait->busy_ms == 0) {
        wait->busy_ms = now_ms;
        return true;
    }
    return time_left(wait, now_ms) > 0;
}

static void begin_wait(struct grc_wait *wait, const struct pollfd *fds, nfds_t count,
                       int64_t now_ms)
{
    wait->hooked = true;
    if (count == 1 && wait->mode != GRC_WAIT_ACCEPT) {
        bool first = wait->fd < 0;

        wait->fd = fds[0].fd;
        if (first && wait->opened)
            wait->opened(wait->arg);
    }
    if (wait->mode == GRC_WAIT_HEAD && wait->since_ms == 0)
        wait->since_ms = now_ms;
}

/* poll() in slices, so that stopping, scarcity and deadlines are seen in time. */
static int watch(struct grc_wait *wait, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    int64_t now_ms = grc_mono_ms();
    int64_t end_ms = timeout_ms < 0 ? INT64_MAX : now_ms + timeout_ms;

    begin_wait(wait, fds, count, now_ms);
    for (;;) {
        int64_t slice_ms = end_ms - now_ms < SLICE_MS ? end_ms - now_ms : SLICE_MS;
        int64_t left_ms = time_left(wait, now_ms);

        if (left_ms < slice_ms)
            slice_ms = left_ms;
        int result = real_poll()(fds, count, (int)slice_ms);
        if (result != 0 && may_read(wait))
            return result;
        now_ms = grc_mono_ms();
        if (time_left(wait, now_ms) == 0)
            return give_up(wait, fds);
        if (result != 0)
            return result;
        if (now_ms >= end_ms || (wait->stopping && atomic_load(wait->stopping)))
            return 0;
    }
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct grc_wait *wait = current;

    if (!wait || wait->mode == GRC_WAIT_OFF)
        return real_poll()(fds, count, timeout_ms);
    return watch(wait, fds, count, timeout_ms);
}

/* Some of a head came into CivetWeb's buffer. */
static void take_head(struct grc_wait *wait, const char *buffer, size_t count)
{
    /* A worker has one buffer for its whole life; its first read goes to the start of it. */
    if (!wait->base)
        wait->base = buffer;
    wait->head_begun = true;
    wait->head_full = (size_t)(buffer - wait->base) + count >= wait->base_size;
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    struct grc_wait *wait = current;
    ssize_t got = real_recv()(fd, buffer, size, flags);

    if (wait && wait->mode == GRC_WAIT_HEAD && !wait->tls && got > 0)
        take_head(wait, buffer, (size_t)got);
    return got;
}

void grc_wait_took(const void *buffer, int size, int got)
{
    struct grc_wait *wait = current;

    (void)size;
    if (wait)
        wait->tls = true; /* where the handshake did not wait, nobody said so before */
    if (wait && wait->mode == GRC_WAIT_HEAD && got > 0)
        take_head(wait, buffer, (size_t)got);
}
