/*
 * The loop: one epoll that all workers share. Whatever waits — a connection, a call, a timer — is
 * noted here and holds no thread; a worker takes up one event after the other with
 * grc_loop_step(). Thread-safe.
 */
#pragma once

#include "loop/timer.h"

#include <stdbool.h>
#include <stdint.h>

struct grc_loop;
struct grc_fiber;
struct grc_fibers;

/* NULL with errno: out of memory or descriptors. */
struct grc_loop *grc_loop_new(void);
/* No worker is in a step and every fiber has ended. Watches that are still open may be closed
 * later, and do nothing until then. */
void grc_loop_free(struct grc_loop *loop);

/*
 * Takes up what is ready: fibers that go on, timers that are due, events of descriptors, running
 * their callbacks on this thread. When there is nothing it waits for up to timeout_ms (-1: for as
 * long as it takes). Not to be called on a fiber.
 */
void grc_loop_step(struct grc_loop *loop, int timeout_ms);
/* Ends the wait of one worker in grc_loop_step(). */
void grc_loop_wake(struct grc_loop *loop);
/* Ends the waits of all workers; those of later steps end at once, too. */
void grc_loop_stop(struct grc_loop *loop);
/* The caller, in a step, is about to be busy for longer: what it has not taken up yet is left to
 * another worker. */
void grc_loop_hand_over(struct grc_loop *loop);

/* --- descriptors --- */

/* What can be waited for, as bits. */
#define GRC_READ 1u  /* there are bytes, an end or an error to read */
#define GRC_WRITE 2u /* there is room to write */
#define GRC_HANGUP                                                                                 \
    4u /* the other side has ended its sending, or the connection broke; stays set                 \
        */

/*
 * A descriptor that the loop watches, edge-triggered: events that come while none is waited for are
 * noted as flags. Watches are memory of the loop's that is never freed while it lives, so that an
 * event that comes late is told apart by its generation and dropped.
 */
struct grc_watch;
/* On a worker's own stack. events: those that came, of those waited for. */
typedef void grc_watch_fn(void *arg, uint32_t events);

/* Watches the descriptor, which must not block. One watch per descriptor. NULL with errno. */
struct grc_watch *grc_watch_open(struct grc_loop *loop, int fd);
/* Ends it; the descriptor stays open. An event that a worker took up just before may still be told:
 * what arg points to has to outlive that (a slot, a fiber). */
void grc_watch_close(struct grc_watch *watch);
int grc_watch_fd(const struct grc_watch *watch);

/*
 * Waits for one of the events: fn(arg, …) is called once when it comes. false: it has come already,
 * fn will not be called; the flag is used up (but GRC_HANGUP), so the caller reads or writes again
 * until that would block. One waits at a time. Wanting to write costs a system call the first time.
 */
bool grc_watch_arm(struct grc_watch *watch, uint32_t events, grc_watch_fn *fn, void *arg);
/* true: it was armed, fn is not called. false: the event was taken up. */
bool grc_watch_disarm(struct grc_watch *watch);

/* --- timers --- */

/* As grc_timers_set(): fn(arg) at due_ms (monotonic) on some worker. false: no memory. */
bool grc_loop_timer(struct grc_loop *loop, struct grc_timer *timer, int64_t due_ms,
                    grc_timer_fn *fn, void *arg);
/* As grc_timers_clear(). */
bool grc_loop_timer_clear(struct grc_loop *loop, struct grc_timer *timer);

/* --- fibers, see fiber.h --- */

/* A fiber that was woken, by one that cannot resume it itself. */
void grc_loop_post(struct grc_loop *loop, struct grc_fiber *fiber);
struct grc_fibers *grc_loop_fibers(struct grc_loop *loop);
