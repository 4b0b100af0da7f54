/*
 * Waits by name. On a fiber they park it and hold no thread; on a thread of its own they block it:
 * one way to write what waits, for calls, timers and commands. Thread-safe.
 *
 * No lock of a thread may be held (grc_queue_wait() releases the one that it is given), and nothing
 * that belongs to a thread survives a wait; see fiber.h.
 */
#pragma once

#include "loop/loop.h"

#include <pthread.h>

/* What is waited for: name, for figures; meaning. */
#define GRC_WAITS(X)                                                                               \
    X(BODY, "body", "more of the client's request")                                                \
    X(WRITE, "write", "room to send the client its answer")                                        \
    X(CONNECT, "connect", "a connection to an upstream")                                           \
    X(UPSTREAM, "upstream", "an upstream's answer")                                                \
    X(SHARED, "shared", "the answer to another call that asks the same")                           \
    X(PAUSE, "pause", "the next attempt of a call")                                                \
    X(KEYS, "keys", "a key set that another call fetches")                                         \
    X(MEMORY, "memory", "memory for the JSON of a large body")                                     \
    X(STORE, "store", "a connection of the store")                                                 \
    X(TURN, "turn", "another call that works on the same thing")                                   \
    X(GROUP, "group", "the other exchanges of a group")                                            \
    X(ISOLATED, "isolated", "the process of an isolated group")

enum grc_waits {
#define GRC_WAITS_ENUM(id, name, meaning) GRC_WAITS_##id,
    GRC_WAITS(GRC_WAITS_ENUM)
#undef GRC_WAITS_ENUM
        GRC_WAITS_COUNT
};

enum grc_woken {
    GRC_WOKEN_READY = 0, /* what was waited for may have come: look, and wait again if not */
    GRC_WOKEN_LATE,      /* the deadline has passed */
    GRC_WOKEN_CANCELLED, /* grc_fiber_cancel(); never while waiting to write to the client */
    GRC_WOKEN_FAILED,    /* out of memory or descriptors */
};

/* Waits for events of a watch (GRC_READ …), to be called after a read or write would block.
 * deadline_ms: monotonic, or GRC_NEVER_MS. */
enum grc_woken grc_wait_watch(struct grc_watch *watch, uint32_t events, int64_t deadline_ms,
                              enum grc_waits what);
/* A watch of the descriptor by the loop of the caller's fiber. NULL: the caller is on a thread, or
 * it cannot be watched; grc_wait_fd() still waits for it. Closed with grc_watch_close(). */
struct grc_watch *grc_wait_open(int fd);
/* The same of a descriptor without a watch: costs two more system calls. No other wait for it. */
enum grc_woken grc_wait_fd(int fd, uint32_t events, int64_t deadline_ms, enum grc_waits what);
/* Waits until a moment: GRC_WOKEN_LATE when it has come. */
enum grc_woken grc_wait_until(int64_t when_ms, enum grc_waits what);

/*
 * A queue of those who wait for a state that a mutex guards; what a condition variable is to
 * threads. Zeroed memory is an empty one. All functions are called with that mutex held.
 */
struct grc_queue_waiter;
struct grc_queue {
    struct grc_queue_waiter *first;
    struct grc_queue_waiter *last;
};

/* Releases the mutex, waits, takes it again. GRC_WOKEN_READY: woken from the queue. */
enum grc_woken grc_queue_wait(struct grc_queue *queue, pthread_mutex_t *held, int64_t deadline_ms,
                              enum grc_waits what);
/* Wakes the one that has waited longest; false: none waits. */
bool grc_queue_wake(struct grc_queue *queue);
void grc_queue_wake_all(struct grc_queue *queue);

/* How many wait now, and the name of what they wait for. */
int64_t grc_waits_now(enum grc_waits what);
const char *grc_waits_name(enum grc_waits what);
