/* With _FORTIFY_SOURCE, the headers define poll() and recv() as inline functions. */
#undef _FORTIFY_SOURCE

#include "http/seat.h"

#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GRC_EXPORT __attribute__((visibility("default")))

typedef int poll_fn(struct pollfd *fds, nfds_t count, int timeout_ms);
typedef ssize_t recv_fn(int fd, void *buffer, size_t size, int flags);
typedef __typeof__(accept) accept_fn; /* glibc takes any kind of address, as a union */

GRC_EXPORT poll_fn poll;
GRC_EXPORT recv_fn recv;
GRC_EXPORT accept_fn accept;

static _Thread_local struct grc_seat *current;

void grc_seat_attach(struct grc_seat *seat)
{
    current = seat;
}

/* The seat that answers the call; NULL: the C library does. */
static struct grc_seat *seat_in_charge(void)
{
    return current && !current->inside ? current : NULL;
}

/* --- the next definitions in the search order: those of a sanitizer or of the C library --- */

static void *next_symbol(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found)
        abort();
    return found;
}

#define NEXT(type, name)                                                                           \
    static type *next_##name(void)                                                                 \
    {                                                                                              \
        static _Atomic(type *) cached;                                                             \
        type *fn = atomic_load_explicit(&cached, memory_order_relaxed);                            \
                                                                                                   \
        if (!fn) {                                                                                 \
            void *found = next_symbol(#name);                                                      \
                                                                                                   \
            memcpy(&fn, &found, sizeof(fn));                                                       \
            atomic_store_explicit(&cached, fn, memory_order_relaxed);                              \
        }                                                                                          \
        return fn;                                                                                 \
    }

NEXT(poll_fn, poll)
NEXT(recv_fn, recv)
NEXT(accept_fn, accept)

/* --- the definitions that CivetWeb's calls bind to --- */

static int poll_door(struct grc_seat *seat, struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++)
        fds[i].revents = 0;
    seat->inside = true;
    bool wanted = seat->calls->wait_door(seat->arg, fds, count);
    seat->inside = false;
    fds[0].revents = wanted ? POLLIN : 0;
    return wanted;
}

static int poll_head(struct grc_seat *seat, struct pollfd *fds)
{
    seat->inside = true;
    bool there = seat->calls->wait_head(seat->arg);
    seat->inside = false;
    fds[0].revents = there ? POLLIN : 0;
    return there ? 1 : -1;
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct grc_seat *seat = seat_in_charge();

    if (!seat || count == 0)
        return next_poll()(fds, count, timeout_ms);
    int result = seat->calls->wait_door ? poll_door(seat, fds, count) : poll_head(seat, fds);
    /* CivetWeb also reads errno after success. */
    errno = result < 0 ? ECONNABORTED : 0;
    return result;
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    struct grc_seat *seat = seat_in_charge();

    if (!seat || !seat->calls->take_head)
        return next_recv()(fd, buffer, size, flags);
    seat->inside = true;
    size_t len = seat->calls->take_head(seat->arg, buffer, size);
    seat->inside = false;
    errno = 0;
    return (ssize_t)len;
}

int accept(int fd, __SOCKADDR_ARG address, socklen_t *restrict size)
{
    const struct sockaddr_in nowhere = {.sin_family = AF_INET};
    struct grc_seat *seat = seat_in_charge();

    if (!seat || !seat->calls->take_socket)
        return next_accept()(fd, address, size);
    if (*size > sizeof(nowhere))
        *size = sizeof(nowhere);
    memcpy(address.__sockaddr__, &nowhere, *size);
    return seat->calls->take_socket(seat->arg);
}
