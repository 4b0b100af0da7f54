/*
 * Fibers: pieces of work, each with a small stack. A fiber runs on the thread that resumes it until
 * it parks or ends. A wait (wait.h) parks the fiber, so that no thread is held; the thread that
 * takes the event resumes it.
 *
 * Rules for code on a fiber: after a wait it may run on another thread. So it must not hold a mutex
 * over a wait, nor use what belongs to a thread (errno, thread-local variables and their addresses)
 * from before the wait. Its stack has GRC_STACK_BYTES; running over its end is a fault.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct grc_loop;
struct grc_fiber;

/* Names a fiber without keeping it alive: when the fiber has ended, the generation differs. */
struct grc_fiber_ref {
    struct grc_fiber *fiber; /* NULL: none */
    uint32_t generation;
};

/* Sets the thread-local variables that a fiber needs. Called on the thread, not on the fiber: with
 * true just before the fiber is resumed, with false after it has parked or ended. */
typedef void grc_fiber_switch_fn(void *arg, bool enter);

/*
 * Starts a fiber that calls run(arg) and ends when that returns. Started from a thread, it runs at
 * once, up to its first wait; started from a fiber, it is handed to the loop's workers. Returns
 * false without memory; run is not called then. Thread-safe.
 */
bool grc_fiber_start(struct grc_loop *loop, void (*run)(void *arg), void *arg);

/* The fiber that the caller runs on; NULL on a thread's own stack. */
struct grc_fiber *grc_fiber_self(void);
/* The loop whose workers resume the fiber. */
struct grc_loop *grc_fiber_loop(const struct grc_fiber *fiber);
/* Names the caller's fiber; on a thread it names none. */
struct grc_fiber_ref grc_fiber_ref(void);
/* Sets the function that is called around every switch of the caller's fiber, or none with NULL.
 * The caller does by itself what fn(arg, true) would do now. */
void grc_fiber_on_switch(grc_fiber_switch_fn *fn, void *arg);

/*
 * Cancels a fiber: its wait ends with GRC_WOKEN_CANCELLED, and so does every later one except waits
 * for writing to the client. Does nothing when the fiber has ended. Thread-safe.
 */
void grc_fiber_cancel(struct grc_fiber_ref ref);
bool grc_fiber_is_cancelled(const struct grc_fiber *fiber);
/* While it is on, cancelling does not end waits of the caller's fiber, because other calls need
 * their outcome too. Returns the former value. Does nothing on a thread. */
bool grc_fiber_shield(bool on);
