/*
 * Watches over what a CivetWeb thread waits for.
 *
 * CivetWeb 1.15 neither tells which descriptor a connection has, nor bounds the time a client may
 * take for a body or for taking an answer, nor wakes up quickly when it is stopped. All three come
 * down to two calls it makes of the C library: poll() before it reads or writes, recv() to read.
 * This module defines both, so that they bind to us instead (the executable comes first in the
 * search order), and passes them on unchanged on every thread that has no grc_wait and in every
 * phase that is not CivetWeb's own.
 *
 * The other ways that were weighed: an accept() of our own needs a table that maps addresses back
 * to descriptors; looking through /proc/self/fd costs a system call per open connection; neither
 * gives a deadline. Where the calls do not reach us (a CivetWeb that is linked statically or with
 * -Bsymbolic), fd stays -1, and the callers fall back on small reads and CivetWeb's own timeouts.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum grc_wait_mode {
    GRC_WAIT_OFF = 0, /* the thread is ours: poll() and recv() pass through */
    GRC_WAIT_ACCEPT,  /* the accepting thread */
    GRC_WAIT_HEAD,    /* waiting for a request, or in the middle of its head */
    GRC_WAIT_BODY,
    GRC_WAIT_WRITE,
};

/* One per thread of CivetWeb. Used by that thread alone, except *stopping. */
struct grc_wait {
    enum grc_wait_mode mode;
    int fd;              /* the client's socket; -1: not known */
    const char *base;    /* CivetWeb's buffer for heads; NULL: not known */
    size_t base_size;    /* of that buffer */
    int64_t deadline_ms; /* monotonic; of body and write */
    int64_t since_ms;    /* when the wait for a head began; 0: not yet */
    int64_t busy_ms;     /* when the client's first bytes of it came; 0: not yet */
    bool tls;            /* the connection speaks TLS: what recv() reads is no head */
    bool head_begun;     /* some of the head is there */
    bool head_full;      /* the last read filled CivetWeb's buffer */
    bool expired;        /* a deadline passed, or patience ran out */
    bool hooked;         /* poll() reached us on this thread */
    const atomic_bool *stopping;
    /* How long (ms) a client may take for a head at this moment; -1: as CivetWeb is configured. */
    int64_t (*patience_ms)(void *arg, bool head_begun);
    /* The first wait on a connection, before CivetWeb tells of it: a TLS handshake begins. */
    void (*opened)(void *arg);
    void *arg;
};

/* Makes wait the current thread's; NULL ends it. */
void grc_wait_attach(struct grc_wait *wait);
/* CivetWeb read from a TLS connection into a buffer: got bytes, or <= 0. */
void grc_wait_took(const void *buffer, int size, int got);
/* A new connection, or the next request on the same one. */
void grc_wait_next(struct grc_wait *wait, bool new_connection);
