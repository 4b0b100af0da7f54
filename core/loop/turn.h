/*
 * Turns: of the workers of a loop only a few run at once, a little more than there are processors.
 * The others are there for when one of those blocks, in a plugin's own work or on a disk: it says
 * so with grc_block_begin(), or a monitor finds that it has been at one thing for longer than 5 ms;
 * then its turn goes to another worker, and it ends what it does beside the others.
 *
 * Thread-safe. A loop without turns lets every worker run.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct grc_loop;
struct grc_turns;

/* How long a worker may be at one thing before it loses its turn, where nothing else is known. */
#define GRC_TURN_PATIENCE_MS 5

/* Lets at_once workers of the loop run at a time; once, before the first joins. patience_ms: how
 * long one may be at one thing. false: no memory or no thread for the monitor. Ends with the loop.
 */
bool grc_turns_begin(struct grc_loop *loop, unsigned at_once, int64_t patience_ms);
/* The calling thread is a worker of the loop until grc_turns_leave(): its grc_loop_step() waits for
 * a turn. Without turns, or without memory, it does nothing. */
void grc_turns_join(struct grc_loop *loop);
void grc_turns_leave(void);

/* The calling thread is about to block, or to compute for more than a few milliseconds: another
 * worker takes its turn. Does nothing on a thread that is no worker, and inside of itself. */
void grc_block_begin(void);
/* It is over. The thread goes on at once; it takes a turn again before its next step. */
void grc_block_end(void);
