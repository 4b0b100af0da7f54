/* Checks from time to time whether the client of a call has left, since each check costs a system
 * call. Used by one thread at a time. */
#pragma once

#include "base/clock.h"
#include "upstream/upstream.h"

/* How often a call checks whether its client has left. */
#define GRC_GONE_STEP_MS 100

struct grc_gone {
    const struct grc_exchange *exchange; /* borrowed */
    int64_t next_ms;                     /* when to check again; INT64_MAX: never */
};

static inline struct grc_gone grc_gone_begin(const struct grc_exchange *exchange, int64_t now_ms)
{
    return (struct grc_gone){exchange, exchange->gone ? now_ms + GRC_GONE_STEP_MS : INT64_MAX};
}

/* Returns when a wait with this deadline has to be interrupted for the next check. */
static inline int64_t grc_gone_step(const struct grc_gone *gone, int64_t deadline_ms)
{
    return gone->next_ms < deadline_ms ? gone->next_ms : deadline_ms;
}

/* Checks when it is time to. Returns true when the client has left. */
static inline bool grc_gone_look(struct grc_gone *gone)
{
    if (gone->next_ms == INT64_MAX)
        return false;
    int64_t now_ms = grc_mono_ms();

    if (now_ms < gone->next_ms)
        return false;
    gone->next_ms = now_ms + GRC_GONE_STEP_MS;
    return gone->exchange->gone(gone->exchange->gone_arg);
}
