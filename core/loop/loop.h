/*
 * The loop: one epoll that all workers share. Connections, calls and timers that wait are kept here
 * and hold no thread; workers take one event after the other with grc_loop_step(). Thread-safe.
 */
#pragma once

#include "loop/timer.h"

#include <stdbool.h>
#include <stdint.h>

struct grc_loop;
struct grc_fiber;
struct grc_fibers;

/* Returns NULL with errno when out of memory or descriptors. */
struct grc_loop *grc_loop_new(void);
/* Called when no worker is in a step and every fiber has ended. Watches that are still open do
 * nothing, and may be closed later. */
void grc_loop_free(struct grc_loop *loop);

/*
 * Runs what is ready on this thread: fibers that were woken, timers that are due, callbacks of
 * descriptors with events. When nothing is ready it waits for up to timeout_ms (-1: without limit).
 * Not to be called on a fiber.
 */
void grc_loop_step(struct grc_loop *loop, int timeout_ms);
/* Ends the wait of one worker in grc_loop_step(). */
void grc_loop_wake(struct grc_loop *loop);
/* Announces work outside of the loop, which workers look for between two steps: none of them sleeps
 * until it is accepted. wake: if all workers wait, also ends the wait of one. */
void grc_loop_offer(struct grc_loop *loop, bool wake);
/* Takes back one offer, by the worker that begins with the work, and wakes another for the rest. */
void grc_loop_accept(struct grc_loop *loop);
/* Ends the waits of all workers; later steps do not wait either. */
void grc_loop_stop(struct grc_loop *loop);
/* Called in a step by a worker that is about to be busy for long: another worker is woken for the
 * events that are left. */
void grc_loop_hand_over(struct grc_loop *loop);

/* When the event that this thread runs was taken from the kernel, as grc_mono_us(); 0 outside of
 * grc_watch_fn functions. It may have waited for a worker since. */
int64_t grc_loop_event_us(void);

/* --- descriptors --- */

/* Events of a descriptor, as bits. */
#define GRC_READ 1u  /* there are bytes, the end or an error to read */
#define GRC_WRITE 2u /* there is room to write */
/* The peer has stopped sending, or the connection broke. This flag stays set. */
#define GRC_HANGUP 4u

/*
 * A descriptor that the loop watches, edge-triggered: events that come while no wait is armed are
 * kept as flags. The memory of watches is not freed while the loop lives, so that a late event can
 * be recognised by its generation and dropped.
 */
struct grc_watch;
/* Called on a worker's own stack with those of the awaited events that came. */
typedef void grc_watch_fn(void *arg, uint32_t events);

/* Watches a non-blocking descriptor; at most one watch for each. Returns NULL with errno. */
struct grc_watch *grc_watch_open(struct grc_loop *loop, int fd);
/* Ends a watch; the descriptor stays open. A worker that has just taken an event may still call fn,
 * so arg must point to memory that outlives the call, such as a slot or a fiber. */
void grc_watch_close(struct grc_watch *watch);
int grc_watch_fd(const struct grc_watch *watch);

/*
 * Waits for one of the events: fn(arg, …) is called once when it comes. Returns false when it has
 * come already: fn is not called, and the flag is cleared (except GRC_HANGUP), so the caller has to
 * read or write until that would block. A watch has one wait at a time. The first wait for
 * GRC_WRITE costs a system call.
 */
bool grc_watch_arm(struct grc_watch *watch, uint32_t events, grc_watch_fn *fn, void *arg);
/* Tells whether GRC_HANGUP has come. */
bool grc_watch_hung_up(const struct grc_watch *watch);
/* Tells whether GRC_READ or GRC_HANGUP has come and no wait has taken it. */
bool grc_watch_has_news(const struct grc_watch *watch);
/* Returns true when the wait was still armed, so that fn will not be called; false when a worker
 * has taken the event. */
bool grc_watch_disarm(struct grc_watch *watch);

/* --- timers --- */

/* As grc_timers_set(): a worker calls fn(arg) at due_ms (monotonic). Returns false without memory.
 */
bool grc_loop_timer(struct grc_loop *loop, struct grc_timer *timer, int64_t due_ms,
                    grc_timer_fn *fn, void *arg);
/* As grc_timers_clear(). */
bool grc_loop_timer_clear(struct grc_loop *loop, struct grc_timer *timer);

/* --- fibers, see fiber.h --- */

/* Has a worker resume a fiber that was woken. */
void grc_loop_post(struct grc_loop *loop, struct grc_fiber *fiber);
struct grc_fibers *grc_loop_fibers(struct grc_loop *loop);
