/* For the files of core/loop only: how a fiber parks, and how it is made to go on. */
#pragma once

#include "loop/fiber.h"
#include "loop/timer.h"

struct grc_fiber *grc_fiber_next(const struct grc_fiber *fiber);
void grc_fiber_set_next(struct grc_fiber *fiber, struct grc_fiber *next);
/* The only timer of a fiber, since a fiber waits for one thing at a time. */
struct grc_timer *grc_fiber_timer(struct grc_fiber *fiber);

/*
 * A fiber parks in three steps, so that a waker cannot come too early:
 *     grc_fiber_arm(self);      from here on it may be woken
 *     … tell those that shall wake it …
 *     grc_fiber_park(self);     returns when it was woken, at once when that has happened already
 * or grc_fiber_disarm(self) instead of parking. A wake may be one that was meant for an earlier
 * wait, so a fiber that was woken looks whether what it waits for has come.
 */
void grc_fiber_arm(struct grc_fiber *self);
void grc_fiber_park(struct grc_fiber *self);
void grc_fiber_disarm(struct grc_fiber *self);
/* Of the caller's fiber, see grc_fiber_shield(). */
bool grc_fiber_is_shielded(const struct grc_fiber *self);

/* Ends the fiber's wait, if there is one. true: the caller owes it grc_fiber_resume() or
 * grc_loop_post(). Thread-safe; the fiber may have ended and be another by now. */
bool grc_fiber_wake(struct grc_fiber *fiber);
/* Runs the fiber on this thread's own stack until it parks or ends. */
void grc_fiber_resume(struct grc_fiber *fiber);

/* Fibers at rest, with their stacks. Part of a loop. */
struct grc_fibers;
struct grc_fibers *grc_fibers_new(void);
/* No fiber runs or waits any more. */
void grc_fibers_free(struct grc_fibers *fibers);
