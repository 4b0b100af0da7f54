#include "upstream/breaker.h"

/* Time over which calls are counted. */
#define WINDOW_MS 10000

bool grc_breaker_init(struct grc_breaker *breaker, const struct grc_breaker_settings *settings)
{
    *breaker = (struct grc_breaker){.settings = *settings};
    return pthread_mutex_init(&breaker->lock, NULL) == 0;
}

void grc_breaker_done(struct grc_breaker *breaker)
{
    pthread_mutex_destroy(&breaker->lock);
}

static void state_set(struct grc_breaker *breaker, enum grc_breaker_state state)
{
    atomic_store_explicit(&breaker->state, (int)state, memory_order_relaxed);
}

static enum grc_breaker_pass ask_locked(struct grc_breaker *breaker, int64_t now_ms,
                                        int64_t *ret_wait_ms)
{
    enum grc_breaker_state state = grc_breaker_state(breaker);

    if (state == GRC_BREAKER_CLOSED)
        return GRC_BREAKER_PASS;
    int64_t next_ms = state == GRC_BREAKER_OPEN ? breaker->open_until_ms : breaker->probe_next_ms;
    if (now_ms < next_ms) {
        *ret_wait_ms = next_ms - now_ms;
        return GRC_BREAKER_REFUSE;
    }
    state_set(breaker, GRC_BREAKER_HALF_OPEN);
    breaker->probe_next_ms = now_ms + breaker->settings.open_ms;
    return GRC_BREAKER_PROBE;
}

enum grc_breaker_pass grc_breaker_ask(struct grc_breaker *breaker, int64_t now_ms,
                                      int64_t *ret_wait_ms)
{
    /* The common case costs one load. */
    if (!breaker->settings.enabled || grc_breaker_state(breaker) == GRC_BREAKER_CLOSED)
        return GRC_BREAKER_PASS;
    pthread_mutex_lock(&breaker->lock);
    enum grc_breaker_pass pass = ask_locked(breaker, now_ms, ret_wait_ms);
    pthread_mutex_unlock(&breaker->lock);
    return pass;
}

static void trip(struct grc_breaker *breaker, int64_t now_ms)
{
    state_set(breaker, GRC_BREAKER_OPEN);
    breaker->open_until_ms = now_ms + breaker->settings.open_ms;
}

static void reset(struct grc_breaker *breaker)
{
    memset(breaker->slots, 0, sizeof(breaker->slots));
    breaker->bads_in_row = 0;
    state_set(breaker, GRC_BREAKER_CLOSED);
}

static void count(struct grc_breaker *breaker, int64_t now_ms, bool bad)
{
    int64_t width_ms = WINDOW_MS / GRC_BREAKER_SLOTS;
    int64_t number = now_ms / width_ms;
    struct grc_breaker_slot *slot = &breaker->slots[number % GRC_BREAKER_SLOTS];
    int64_t calls = 0;
    int64_t bads = 0;

    if (slot->number != number)
        *slot = (struct grc_breaker_slot){.number = number};
    if (!bad) {
        slot->good++;
        breaker->bads_in_row = 0;
        return;
    }
    slot->bad++;
    if (now_ms - breaker->last_bad_ms > WINDOW_MS)
        breaker->bads_in_row = 0;
    breaker->bads_in_row++;
    breaker->last_bad_ms = now_ms;
    for (size_t i = 0; i < GRC_BREAKER_SLOTS; i++) {
        if (breaker->slots[i].number <= number - GRC_BREAKER_SLOTS)
            continue;
        calls += breaker->slots[i].good + breaker->slots[i].bad;
        bads += breaker->slots[i].bad;
    }
    /* When an upstream fails suddenly, the window still has many good calls. Failures in a row show
     * it long before the share does. */
    bool share = calls >= breaker->settings.min_calls &&
                 bads * 100 >= calls * breaker->settings.error_percent;
    if (share || breaker->bads_in_row >= breaker->settings.min_calls)
        trip(breaker, now_ms);
}

static void tell_locked(struct grc_breaker *breaker, int64_t now_ms, enum grc_breaker_pass pass,
                        enum grc_breaker_result result)
{
    enum grc_breaker_state state = grc_breaker_state(breaker);

    if (result == GRC_BREAKER_NONE) {
        /* A probe without a result: the next call becomes a probe. */
        if (pass == GRC_BREAKER_PROBE && state == GRC_BREAKER_HALF_OPEN)
            breaker->probe_next_ms = now_ms;
    } else if (state == GRC_BREAKER_CLOSED) {
        count(breaker, now_ms, result == GRC_BREAKER_BAD);
    } else if (pass == GRC_BREAKER_PROBE) {
        /* Only probes count now; calls from before the breaker opened do not. */
        if (result == GRC_BREAKER_GOOD)
            reset(breaker);
        else
            trip(breaker, now_ms);
    }
}

bool grc_breaker_tell(struct grc_breaker *breaker, int64_t now_ms, enum grc_breaker_pass pass,
                      enum grc_breaker_result result)
{
    if (!breaker->settings.enabled)
        return false;
    pthread_mutex_lock(&breaker->lock);
    enum grc_breaker_state before = grc_breaker_state(breaker);
    tell_locked(breaker, now_ms, pass, result);
    bool changed = grc_breaker_state(breaker) != before;
    pthread_mutex_unlock(&breaker->lock);
    return changed;
}
