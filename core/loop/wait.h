/*
 * Named waits. On a fiber a wait parks the fiber and holds no thread; elsewhere it blocks the
 * thread. So the same code serves calls, timers and commands. Thread-safe.
 *
 * The caller must hold no mutex (grc_queue_wait() releases the one it is given), and nothing that
 * belongs to a thread survives a wait; see fiber.h.
 */
#pragma once

#include "loop/loop.h"

#include <pthread.h>

/* The waits: identifier, name in the metrics, what is waited for. */
#define GRC_WAITS(X)                                                                               \
    X(BODY, "body", "more of the client's request")                                                \
    X(WRITE, "write", "room to send the client its answer")                                        \
    X(CONNECT, "connect", "a connection to an upstream")                                           \
    X(UPSTREAM, "upstream", "an upstream's answer")                                                \
    X(SHARED, "shared", "the answer to another call that asks the same")                           \
    X(PAUSE, "pause", "the next attempt of a call")                                                \
    X(KEYS, "keys", "keys that another call or thread fetches")                                    \
    X(MEMORY, "memory", "memory for the JSON of a large body")                                     \
    X(STORE, "store", "a connection of the store")                                                 \
    X(STATEMENT, "statement", "the database's answer to a statement")                              \
    X(LIMIT, "limit", "an answer of the server of shared limits")                                  \
    X(CACHE, "cache", "an answer of the server of the shared cache")                               \
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
    GRC_WOKEN_READY = 0, /* what is waited for may have come: check, and wait again if not */
    GRC_WOKEN_LATE,      /* the deadline has passed */
    GRC_WOKEN_CANCELLED, /* by grc_fiber_cancel(); never for GRC_WAITS_WRITE */
    GRC_WOKEN_FAILED,    /* out of memory or descriptors */
};

/* Waits for events of a watch (GRC_READ …). Called after a read or write that would have blocked.
 * deadline_ms is monotonic, or GRC_NEVER_MS. */
enum grc_woken grc_wait_watch(struct grc_watch *watch, uint32_t events, int64_t deadline_ms,
                              enum grc_waits what);
/* Watches a descriptor with the loop of the caller's fiber. Returns NULL on a thread, and when the
 * descriptor cannot be watched; grc_wait_fd() still can wait. Close it with grc_watch_close(). */
struct grc_watch *grc_wait_open(int fd);
/* As grc_wait_watch(), for a descriptor without a watch and without another wait. Costs two more
 * system calls. */
enum grc_woken grc_wait_fd(int fd, uint32_t events, int64_t deadline_ms, enum grc_waits what);
/* Waits until a moment. Returns GRC_WOKEN_LATE when it has come. */
enum grc_woken grc_wait_until(int64_t when_ms, enum grc_waits what);

/*
 * A queue of fibers and threads that wait for a state which a mutex guards, like a condition
 * variable. Zeroed memory is an empty queue. All functions are called with that mutex held.
 */
struct grc_queue_waiter;
struct grc_queue {
    struct grc_queue_waiter *first;
    struct grc_queue_waiter *last;
};

/* Releases the mutex, waits, and locks it again. Returns GRC_WOKEN_READY when woken through the
 * queue. */
enum grc_woken grc_queue_wait(struct grc_queue *queue, pthread_mutex_t *held, int64_t deadline_ms,
                              enum grc_waits what);
/* Wakes the one that has waited longest. Returns false when the queue is empty. */
bool grc_queue_wake(struct grc_queue *queue);
void grc_queue_wake_all(struct grc_queue *queue);

/* The number of fibers and threads in this wait now, and its name. */
int64_t grc_waits_now(enum grc_waits what);
const char *grc_waits_name(enum grc_waits what);
