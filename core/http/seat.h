/*
 * Seats: simulated sockets for CivetWeb.
 *
 * CivetWeb only parses complete heads in this gateway; the loop has the connections. Therefore this
 * file defines poll(), recv() and accept(), and CivetWeb's calls bind to these definitions, since
 * the executable comes first in the search order of symbols. On a thread with a seat, calls from
 * CivetWeb are answered by the functions of the seat; all other calls go on to the C library.
 *
 * A worker has one socket for its whole life, which is not connected. CivetWeb takes it for a
 * client that sends one request after the other: poll() here returns when there is a head, and
 * recv() copies it. The thread that accepts waits in poll() for real clients, and accept() gives it
 * a new unconnected socket when a worker needs one. CivetWeb sends nothing, and could not on such a
 * socket.
 *
 * Each start checks whether the three calls reach this file; see civetweb.c.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/* The functions of a seat. poll(), recv() and accept() within them are the C library's. Functions
 * that a thread does not need are NULL. */
struct grc_seat_calls {
    /* A worker: waits until there is a head. Returns false if the worker shall end. */
    bool (*wait_head)(void *arg);
    /* A worker: copies the head and returns its length, or 0 if it is longer than size. */
    size_t (*take_head)(void *arg, char *into, size_t size);
    /* The accepting thread: waits at the listening sockets. Returns true if there is a socket for a
     * worker. */
    bool (*wait_door)(void *arg, const struct pollfd *listeners, size_t count);
    /* Returns that socket. The caller owns it. */
    int (*take_socket)(void *arg);
};

struct grc_seat {
    const struct grc_seat_calls *calls;
    void *arg;
    bool inside; /* the thread runs code of the gateway, not of CivetWeb */
};

/* Gives the calling thread a seat, or removes it (NULL). */
void grc_seat_attach(struct grc_seat *seat);
