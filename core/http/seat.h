/*
 * What CivetWeb believes to be its sockets.
 *
 * CivetWeb parses whole heads here, and does nothing else: connections are the loop's. To let it,
 * three calls that it makes of the C library bind to us (the executable comes first in the search
 * order): poll(), recv() and accept(). On a thread with a seat, and outside of our own code, they
 * are answered by the functions of the seat; everywhere else they are passed on unchanged.
 *
 * A worker keeps one socket for its whole life, which is connected to nothing. CivetWeb takes it
 * for a client that sends one request after the other; our poll() returns when a head is there, our
 * recv() hands it over. The thread that accepts waits in our poll() for real clients; our accept()
 * gives it a new such socket when a worker needs one. CivetWeb sends nothing: what it tried to send
 * would fail.
 *
 * This file only translates. Whether the three calls reach it is tried out at each start; see
 * civetweb.c.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/* The functions of a seat; each runs as our own code. Those that a thread has no use for are NULL.
 */
struct grc_seat_calls {
    /* A worker: waits until there is a head. false: the worker shall end. */
    bool (*wait_head)(void *arg);
    /* A worker: copies the head, of at most size bytes, and returns its length; 0: it does not
     * fit. */
    size_t (*take_head)(void *arg, char *into, size_t size);
    /* The accepting thread: waits at the listening sockets. true: there is a socket for a worker.
     */
    bool (*wait_door)(void *arg, const struct pollfd *listeners, size_t count);
    /* That socket, which becomes the caller's. */
    int (*take_socket)(void *arg);
};

struct grc_seat {
    const struct grc_seat_calls *calls;
    void *arg;
    bool inside; /* our own code runs on the thread */
};

/* Gives the calling thread a seat, or takes it away (NULL). */
void grc_seat_attach(struct grc_seat *seat);
/* Around our own code that CivetWeb calls: whether it runs. Returns what was before. */
bool grc_seat_inside(bool inside);
