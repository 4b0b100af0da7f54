/*
 * A thread that runs a function again and again: after each period, and early when it is woken. The
 * owner inits, starts, stops and releases it, one call at a time; grc_ticker_wake() may be called
 * by any thread between init and done.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void grc_tick_fn(void *arg);

struct grc_ticker {
    grc_tick_fn *tick;
    void *arg;
    int64_t period_ms;
    pthread_t thread;
    bool running; /* the thread exists */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool woken; /* guarded by the lock, like the next one */
    bool stopping;
};

/* Prepares it without a thread. The first tick comes a period after the start; the next ones a
 * period after the end of the one before. */
void grc_ticker_init(struct grc_ticker *ticker, int64_t period_ms, grc_tick_fn *tick, void *arg);
/* Starts the thread. Returns false when that is not possible. */
bool grc_ticker_start(struct grc_ticker *ticker, size_t stack_bytes);
/* Has it tick once without waiting for the period: at the start when the thread does not run yet,
 * once more when it is in a tick. */
void grc_ticker_wake(struct grc_ticker *ticker);
/* Has the thread end after the tick that it is in, and does not wait for that. */
void grc_ticker_end(struct grc_ticker *ticker);
/* Ends the thread and waits for it. Without a thread it does nothing. */
void grc_ticker_stop(struct grc_ticker *ticker);
/* Stops it and releases what grc_ticker_init() made. */
void grc_ticker_done(struct grc_ticker *ticker);
