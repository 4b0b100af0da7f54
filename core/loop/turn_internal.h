/* Between loop.c and turn.c. Turns may be NULL: then there are none. */
#pragma once

#include "loop/turn.h"

#include <stdatomic.h>
#include <stdint.h>

/* sleepers: how many workers wait for events; borrowed, as is the loop. */
struct grc_turns *grc_turns_new(struct grc_loop *loop, unsigned at_once, int64_t patience_ms,
                                _Atomic unsigned *sleepers);
void grc_turns_free(struct grc_turns *turns);
/* The loop stops: no worker waits for a turn from here on. */
void grc_turns_stop(struct grc_turns *turns);
/* A step begins: the calling worker waits for its turn. */
void grc_turns_take(struct grc_turns *turns);
/* The calling worker goes to sleep until there are events, with its turn. */
void grc_turns_sleep(struct grc_turns *turns);
/* It woke; last: no other worker sleeps now, so that none would see the next event. */
void grc_turns_awake(struct grc_turns *turns, bool last);
/* A timer was set, as the next of all. */
void grc_turns_timer_set(struct grc_turns *turns);

/* Of the loop: whether a timer is set, and whether one was due by before_ms. */
bool grc_loop_has_timer(const struct grc_loop *loop);
bool grc_loop_timer_overdue(const struct grc_loop *loop, int64_t before_ms);
struct grc_turns *grc_loop_turns(struct grc_loop *loop);
