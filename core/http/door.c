/* The thread that accepts clients and gives workers the sockets of their seats. */
#include "http/internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long no client is accepted without free descriptors, unless a connection ends before. */
#define SHUT_MS 200
/* The log says that there is room again only after so long a time with room, since each client that
 * leaves makes room for just one. */
#define CALM_MS 5000
/* The longest time that a drain waits until clients that have connected are accepted. */
#define LAST_IN_MS 1000

struct grc_door {
    int bell; /* an eventfd that interrupts the wait for clients */
    atomic_uint seats_wanted;
    int seat;             /* a socket for the next seat; -1: none */
    bool non_blocking;    /* the listening sockets are non-blocking */
    atomic_bool shut;     /* there is no room: clients wait in the kernel's queue */
    bool told;            /* the lack of room was logged */
    int64_t full_ms;      /* when there was no room the last time */
    atomic_bool closed;   /* no client is accepted any more */
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool late; /* clients that connect from now on are late; set by the thread that accepts */
};

bool grc_door_new(struct grc_http *http)
{
    struct grc_door *door = calloc(1, sizeof(*door));

    if (!door)
        return false;
    door->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (door->bell < 0) {
        free(door);
        return false;
    }
    door->seat = -1;
    pthread_mutex_init(&door->lock, NULL);
    pthread_cond_init(&door->changed, NULL);
    atomic_store(&door->seats_wanted, http->workers);
    http->door = door;
    return true;
}

void grc_door_free(struct grc_http *http)
{
    if (!http->door)
        return;
    close(http->door->bell);
    if (http->door->seat >= 0)
        close(http->door->seat);
    pthread_cond_destroy(&http->door->changed);
    pthread_mutex_destroy(&http->door->lock);
    free(http->door);
    http->door = NULL;
}

static void ring(struct grc_door *door)
{
    const uint64_t one = 1;

    while (write(door->bell, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
}

void grc_door_want_seat(struct grc_http *http)
{
    atomic_fetch_add(&http->door->seats_wanted, 1);
    ring(http->door);
}

void grc_door_left(struct grc_http *http)
{
    if (http->door->shut)
        ring(http->door);
}

void grc_door_stop(struct grc_http *http)
{
    ring(http->door);
}

void grc_door_shut(struct grc_http *http)
{
    atomic_store(&http->door->closed, true);
    ring(http->door);
}

void grc_door_drain(struct grc_http *http)
{
    struct grc_door *door = http->door;
    int64_t due_ms = grc_mono_ms() + LAST_IN_MS;

    ring(door);
    pthread_mutex_lock(&door->lock);
    (void)grc_cond_wait_flag(&door->changed, &door->lock, &door->late, due_ms);
    pthread_mutex_unlock(&door->lock);
}

/* --- clients --- */

static void text_of(const struct sockaddr_storage *address, char *text, size_t size)
{
    const void *in = &((const struct sockaddr_in *)address)->sin_addr;

    if (address->ss_family == AF_INET6)
        in = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (!inet_ntop(address->ss_family, in, text, (socklen_t)size))
        text[0] = '\0';
}

/* There is no room for another client: clients wait in the kernel's queue. */
static void shut(struct grc_door *door, const char *reason)
{
    door->shut = true;
    door->full_ms = grc_mono_ms();
    if (!door->told)
        grc_warn("no more connections are accepted until others end: %s", reason);
    door->told = true;
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Returns true if a worker needs a seat, and there is a socket for it. */
static bool make_seat(struct grc_door *door)
{
    if (atomic_load(&door->seats_wanted) == 0)
        return false;
    if (door->seat < 0)
        door->seat = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (door->seat < 0)
        shut(door, strerror(errno));
    return door->seat >= 0;
}

int grc_door_take_socket(struct grc_http *http)
{
    int seat = http->door->seat;

    http->door->seat = -1;
    atomic_fetch_sub(&http->door->seats_wanted, 1);
    return seat;
}

/* Accepts a client. Returns false if none waits, or there is no room. */
static bool take_in(struct grc_http *http, size_t listener, int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    const int on = 1;
    char peer[INET6_ADDRSTRLEN];

    if (!grc_conns_room(http)) {
        shut(http->door, "their limit is reached");
        return false;
    }
    int client = accept4(fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (client < 0) {
        if (is_shortage(errno))
            shut(http->door, strerror(errno));
        return errno == ECONNABORTED || errno == EINTR;
    }
    /* If these fail the connection is broken, and its first read will show it. */
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    text_of(&address, peer, sizeof(peer));
    if (grc_conn_open(http, listener, client, peer, http->door->late))
        return true;
    close(client);
    shut(http->door, "out of memory or descriptors");
    return false;
}

static void take_in_all(struct grc_http *http, const struct pollfd *listeners, size_t count)
{
    struct grc_door *door = http->door;
    bool last_in_time = !door->late && atomic_load(&http->stage) >= GRC_HTTP_DRAINING;
    bool took = false;

    for (size_t i = 0; i < count; i++) {
        while ((last_in_time || (listeners[i].revents & POLLIN)) &&
               take_in(http, i, listeners[i].fd))
            took = true;
    }
    if (last_in_time) { /* the kernel's queues are empty */
        pthread_mutex_lock(&door->lock);
        door->late = true;
        pthread_cond_signal(&door->changed);
        pthread_mutex_unlock(&door->lock);
    }
    if (took && !door->shut && door->told && grc_mono_ms() - door->full_ms >= CALM_MS) {
        grc_info("connections are accepted without delay again");
        door->told = false;
    }
}

/* --- waiting --- */

static void make_non_blocking(struct grc_door *door, const struct pollfd *listeners, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int flags = fcntl(listeners[i].fd, F_GETFL);

        if (flags < 0 || fcntl(listeners[i].fd, F_SETFL, flags | O_NONBLOCK) < 0)
            grc_error("a listening socket cannot be made non-blocking: %s", strerror(errno));
    }
    door->non_blocking = true;
}

static void hear_bell(const struct grc_door *door)
{
    uint64_t count;

    while (read(door->bell, &count, sizeof(count)) < 0 && errno == EINTR)
        continue;
}

bool grc_door_wait(struct grc_http *http, const struct pollfd *listeners, size_t count)
{
    struct grc_door *door = http->door;
    struct pollfd fds[GRC_LISTEN_MAX + 1] = {{.fd = door->bell, .events = POLLIN}};

    if (count > GRC_LISTEN_MAX)
        count = GRC_LISTEN_MAX;
    for (size_t i = 0; i < count; i++)
        fds[i + 1] = (struct pollfd){.fd = listeners[i].fd, .events = POLLIN};
    if (!door->non_blocking)
        make_non_blocking(door, listeners, count);
    for (;;) {
        if (atomic_load(&http->stopping))
            return false;
        if (make_seat(door))
            return true;
        bool closed = atomic_load(&door->closed);
        nfds_t polled = door->shut || closed ? 1 : (nfds_t)count + 1;
        int there = poll(fds, polled, door->shut && !closed ? SHUT_MS : -1);
        if (there >= 0)
            door->shut = false;
        if (there > 0 && fds[0].revents)
            hear_bell(door);
        if (there > 0 && !atomic_load(&door->closed))
            take_in_all(http, fds + 1, count);
    }
}
