/*
 * Single-flight: identical calls at the same time share one call to the upstream. The first one
 * leads. The others wait for its answer, each with its own deadline and its own client.
 *
 * Calls are identical when they are GETs without a body to the same upstream and target, with the
 * same headers and credential, of callers with the same rights (the exchange's partition). A call
 * never joins one that began before the end of a write through this gateway, so that a client can
 * read what it has written.
 *
 * Thread-safe: the table is sharded, and no lock is held during a call.
 */
#pragma once

#include "upstream/answer.h"

struct grc_singleflights; /* the calls in flight of all upstreams */
struct grc_singleflight;  /* one call in flight that others may join */

/* What identical calls have in common. Borrows from the exchange. */
struct grc_singleflight_key {
    const struct grc_exchange *exchange;
    const void *upstream; /* compared by address */
    uint64_t hash;
    uint64_t epoch; /* number of writes to the upstream so far */
    bool looks;     /* the answer may come from the shared cache, and be of some age */
};

enum grc_singleflight_end {
    GRC_SINGLEFLIGHT_ANSWERED = 1, /* the exchange is filled */
    GRC_SINGLEFLIGHT_AGAIN,        /* the leader failed for its own reasons: enter again */
    GRC_SINGLEFLIGHT_LATE,         /* the deadline passed */
    GRC_SINGLEFLIGHT_GONE,         /* the client left */
};

struct grc_singleflights *grc_singleflights_new(void);
/* Called when no call uses it any more. NULL is fine. */
void grc_singleflights_free(struct grc_singleflights *shares);

/* Tells whether this exchange may be shared at all. */
bool grc_singleflight_fits(const struct grc_exchange *exchange);
/* The hash of what identical exchanges have in common, except the epoch. seed is any number that
 * stays the same within a process. */
uint64_t grc_singleflight_hash(const struct grc_exchange *exchange, const void *upstream,
                               uint64_t seed);

/*
 * Joins a call in flight, or starts one; *ret_leads tells which. A leader makes the call and then
 * calls grc_singleflight_close() and grc_singleflight_publish(). A call that has joined calls
 * grc_singleflight_wait(). The key's exchange must not change until then. Returns NULL without
 * memory; the caller then makes the call alone.
 */
struct grc_singleflight *grc_singleflight_enter(struct grc_singleflights *shares,
                                                const struct grc_singleflight_key *key,
                                                bool *ret_leads);
/* How many calls wait for this leader. */
unsigned grc_singleflight_waiting(struct grc_singleflight *share);
/* Prevents further calls from joining. Returns true when calls wait. */
bool grc_singleflight_close(struct grc_singleflights *shares, struct grc_singleflight *share);
/* Ends the waits of the others. They get the answer (borrowed); with NULL they enter again. */
void grc_singleflight_publish(struct grc_singleflight *share, struct grc_answer *answer);
/* Waits until deadline_ms (monotonic). Fills the exchange when there is an answer. */
enum grc_singleflight_end grc_singleflight_wait(struct grc_singleflight *share,
                                                struct grc_exchange *exchange, int64_t deadline_ms);
/* Tells whether waiting calls should get this outcome, which is not so when the leader's own
 * request is the reason for it. */
bool grc_singleflight_worth(const struct grc_exchange *exchange);
