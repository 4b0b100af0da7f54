/* Between loop.c and turn.c. turns may be NULL: the functions then do nothing. */
#pragma once

#include "loop/turn.h"

#include <stdatomic.h>
#include <stdint.h>

/* sleepers is the number of workers that wait for events; borrowed, as is the loop. */
struct grc_turns *grc_turns_new(struct grc_loop *loop, unsigned at_once, unsigned habit_max,
                                int64_t patience_ms, _Atomic unsigned *sleepers);
void grc_turns_free(struct grc_turns *turns);
/* Called when the loop stops: from here on no worker waits for a turn. */
void grc_turns_stop(struct grc_turns *turns);
/* Called when a step begins, at now_ms: the calling worker waits for its turn. */
void grc_turns_take(struct grc_turns *turns, int64_t now_ms);
/* Called when the worker goes to sleep until there are events. It keeps its turn. */
void grc_turns_sleep(struct grc_turns *turns);
/* Called when the worker woke. last: no other worker sleeps now, so none would see the next event.
 */
void grc_turns_awake(struct grc_turns *turns, bool last);
/* Called when a timer was set that is the next of all. */
void grc_turns_timer_set(struct grc_turns *turns);

/* Whether a timer of the loop is set, and whether one was due by before_ms. */
bool grc_loop_has_timer(const struct grc_loop *loop);
bool grc_loop_timer_overdue(const struct grc_loop *loop, int64_t before_ms);
struct grc_turns *grc_loop_turns(struct grc_loop *loop);
