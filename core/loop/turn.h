/*
 * Turns: only a few workers of a loop run at once, one more than there are processors. The others
 * stand by in case one blocks, in a plugin's own work or on a disk. A worker announces that with
 * grc_block_begin(), or a monitor finds that it has run one thing for longer than 5 ms. Then its
 * turn goes to another worker, and it finishes its work beside the others.
 *
 * Thread-safe. A loop without turns lets every worker run.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct grc_loop;
struct grc_turns;

/* The usual patience_ms of grc_turns_begin(). */
#define GRC_TURN_PATIENCE_MS 5

/* Lets at_once workers of the loop run at a time, each for up to patience_ms at one thing before it
 * loses its turn, and up to habit_max further workers by habit (see struct grc_habit). Called once,
 * before the first worker joins. Returns false without memory or without a thread for the monitor.
 * Ends with the loop. */
bool grc_turns_begin(struct grc_loop *loop, unsigned at_once, unsigned habit_max,
                     int64_t patience_ms);
/* Makes the calling thread a worker of the loop until grc_turns_leave(): its grc_loop_step() waits
 * for a turn. Does nothing without turns or without memory. */
void grc_turns_join(struct grc_loop *loop);
void grc_turns_leave(void);

/* Called by a thread that is about to block, or to compute for more than a few milliseconds: its
 * turn goes to another worker. Does nothing on a thread that is no worker, and when nested. */
void grc_block_begin(void);
/* Ends grc_block_begin(). The thread continues at once, and takes a turn before its next step. */
void grc_block_end(void);

/*
 * What is remembered of work that is done again and again, such as the handler of a route: whether
 * the monitor has found it asleep of late. All zero at first.
 */
struct grc_habit {
    _Atomic int blocks; /* above 0: it has blocked of late */
};
/* Called before the work. If that has blocked of late, the worker's turn goes to another worker
 * now, and not when the monitor finds out, and the work runs without a turn. Not if habit_max
 * others do so: work that does not block must not find all workers busy. */
void grc_habit_begin(const struct grc_habit *habit);
/* Called after the work, which may have changed workers: only the time since its last wait counts.
 */
void grc_habit_end(struct grc_habit *habit);
