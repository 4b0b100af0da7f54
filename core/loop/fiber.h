/*
 * Fibers: a piece of work with a small stack of its own. It runs on whatever thread resumes it
 * until it parks or ends. What a request waits for parks its fiber (wait.h), so that no thread
 * waits; the thread that takes up the event goes on with it.
 *
 * Rules for code on a fiber: after a wait it may be on another thread, so no lock of a thread is
 * held over a wait, and nothing that belongs to a thread (errno, thread-local variables and their
 * addresses) is carried over one. Its stack has GRC_STACK_BYTES; running over its end is a fault.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct grc_loop;
struct grc_fiber;

/* Names a fiber without keeping it: what has ended since is told apart by its generation. */
struct grc_fiber_ref {
    struct grc_fiber *fiber; /* NULL: none */
    uint32_t generation;
};

/* Thread-locals that go with a fiber: entered with true just before it goes on, with false as soon
 * as it parked or ended, on the thread in question, not on the fiber. */
typedef void grc_fiber_switch_fn(void *arg, bool enter);

/*
 * Starts a fiber that calls run(arg) and ends when that returns. From a thread it runs at once, up
 * to its first wait; from a fiber it is handed to the loop's workers. false: no memory for it, run
 * is not called. Thread-safe.
 */
bool grc_fiber_start(struct grc_loop *loop, void (*run)(void *arg), void *arg);

/* The fiber that the caller runs on; NULL: it is on a thread's own stack. */
struct grc_fiber *grc_fiber_self(void);
/* The loop whose workers go on with it. */
struct grc_loop *grc_fiber_loop(const struct grc_fiber *fiber);
/* A name for the caller's fiber; of none on a thread. */
struct grc_fiber_ref grc_fiber_ref(void);
/* Sets what is called around every switch of the caller's fiber; NULL: nothing. Not called for the
 * switch in progress: the caller has entered by itself. */
void grc_fiber_on_switch(grc_fiber_switch_fn *fn, void *arg);

/*
 * What the fiber waits for is no longer wanted: its wait ends with GRC_WOKEN_CANCELLED, and so does
 * every further one but those for writing. Nothing happens when it has ended. Thread-safe.
 */
void grc_fiber_cancel(struct grc_fiber_ref ref);
bool grc_fiber_is_cancelled(const struct grc_fiber *fiber);
/* While on, waits of the caller's fiber are not ended by a cancellation: others want their outcome,
 * too. Returns what it was. Does nothing on a thread. */
bool grc_fiber_shield(bool on);
