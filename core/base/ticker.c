#include "base/ticker.h"

#include "base/clock.h"
#include "base/thread.h"

void grc_ticker_init(struct grc_ticker *ticker, int64_t period_ms, grc_tick_fn *tick, void *arg)
{
    *ticker = (struct grc_ticker){.tick = tick, .arg = arg, .period_ms = period_ms};
    pthread_mutex_init(&ticker->lock, NULL);
    pthread_cond_init(&ticker->changed, NULL);
}

/* Waits for the period, a wake-up or the end. Returns false for the end. */
static bool wait_turn(struct grc_ticker *ticker)
{
    const int64_t due_ms = grc_mono_ms() + ticker->period_ms;

    pthread_mutex_lock(&ticker->lock);
    while (!ticker->stopping && !ticker->woken &&
           grc_cond_wait_until(&ticker->changed, &ticker->lock, due_ms))
        continue;
    bool go_on = !ticker->stopping;
    ticker->woken = false;
    pthread_mutex_unlock(&ticker->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct grc_ticker *ticker = arg;

    while (wait_turn(ticker))
        ticker->tick(ticker->arg);
    return NULL;
}

bool grc_ticker_start(struct grc_ticker *ticker, size_t stack_bytes)
{
    ticker->running = grc_thread_start(&ticker->thread, stack_bytes, run, ticker);
    return ticker->running;
}

static void tell(struct grc_ticker *ticker, bool *flag)
{
    pthread_mutex_lock(&ticker->lock);
    *flag = true;
    pthread_cond_signal(&ticker->changed);
    pthread_mutex_unlock(&ticker->lock);
}

void grc_ticker_wake(struct grc_ticker *ticker)
{
    tell(ticker, &ticker->woken);
}

void grc_ticker_end(struct grc_ticker *ticker)
{
    tell(ticker, &ticker->stopping);
}

void grc_ticker_stop(struct grc_ticker *ticker)
{
    if (!ticker->running)
        return;
    grc_ticker_end(ticker);
    pthread_join(ticker->thread, NULL);
    ticker->running = false;
}

void grc_ticker_done(struct grc_ticker *ticker)
{
    grc_ticker_stop(ticker);
    pthread_cond_destroy(&ticker->changed);
    pthread_mutex_destroy(&ticker->lock);
}
