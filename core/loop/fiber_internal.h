/* For the files of core/loop only: how a fiber parks, and how it is woken and resumed. */
#pragma once

#include "loop/fiber.h"
#include "loop/timer.h"

struct grc_fiber *grc_fiber_next(const struct grc_fiber *fiber);
void grc_fiber_set_next(struct grc_fiber *fiber, struct grc_fiber *next);
/* The only timer of a fiber, since a fiber waits for one thing at a time. */
struct grc_timer *grc_fiber_timer(struct grc_fiber *fiber);

/*
 * A fiber parks in three steps, so that no wake is lost:
 *     grc_fiber_arm(self);      from here on it may be woken
 *     … tell those that shall wake it …
 *     grc_fiber_park(self);     returns when it was woken, at once when that has happened already
 * or calls grc_fiber_disarm(self) instead of parking. A wake may have been meant for an earlier
 * wait, so a fiber that was woken checks whether what it waits for has come.
 */
void grc_fiber_arm(struct grc_fiber *self);
void grc_fiber_park(struct grc_fiber *self);
void grc_fiber_disarm(struct grc_fiber *self);
/* Whether the fiber is shielded, see grc_fiber_shield(). */
bool grc_fiber_is_shielded(const struct grc_fiber *self);

/* Ends the fiber's wait, if there is one. When it returns true, the caller must call
 * grc_fiber_resume() or grc_loop_post(). Thread-safe; the fiber may have ended and been reused. */
bool grc_fiber_wake(struct grc_fiber *fiber);
/* Runs the fiber on this thread's own stack until it parks or ends. */
void grc_fiber_resume(struct grc_fiber *fiber);

/* All fibers of a loop, with their stacks. */
struct grc_fibers;
struct grc_fibers *grc_fibers_new(void);
/* Called when no fiber runs or waits any more. */
void grc_fibers_free(struct grc_fibers *fibers);
