/*
 * Single-transfer: calls that ask the same thing at the same time make one call of it. The first
 * one leads, the others wait for its answer, each with its own deadline and its own client to
 * watch.
 *
 * Alike are GETs without a body to the same upstream and target, with the same headers and
 * credential, of callers with the same rights (the exchange's partition). A call never joins one
 * that began before a write through this gateway had ended, so a client that wrote reads what it
 * wrote.
 *
 * Thread-safe: the table is sharded, and no lock is held while anything travels.
 */
#pragma once

#include "upstream/answer.h"

struct grc_singleflights; /* the calls in flight of all upstreams */
struct grc_singleflight;  /* one call in flight that others may join */

/* What makes calls alike. Borrows from the exchange. */
struct grc_singleflight_key {
    const struct grc_exchange *exchange;
    const void *upstream; /* its address stands for it */
    uint64_t hash;
    uint64_t epoch; /* writes to the upstream so far */
};

enum grc_singleflight_end {
    GRC_SINGLEFLIGHT_ANSWERED = 1, /* the exchange is filled */
    GRC_SINGLEFLIGHT_AGAIN,        /* the leader failed for reasons of its own: enter again */
    GRC_SINGLEFLIGHT_LATE,         /* the deadline passed */
    GRC_SINGLEFLIGHT_GONE,         /* the client left */
};

struct grc_singleflights *grc_singleflights_new(void);
/* No call may be in it any more. NULL is fine. */
void grc_singleflights_free(struct grc_singleflights *shares);

/* Tells whether this exchange may be shared at all. */
bool grc_singleflight_fits(const struct grc_exchange *exchange);
/* The hash of everything that makes exchanges alike but the epoch. seed: any number, the same
 * within a process. */
uint64_t grc_singleflight_hash(const struct grc_exchange *exchange, const void *upstream,
                               uint64_t seed);

/*
 * Joins a call in flight, or becomes one. *ret_leads tells which. A leader makes the call and then
 * calls grc_singleflight_close() and grc_singleflight_publish(); one that joined calls
 * grc_singleflight_wait(). The key's exchange must stay as it is until then. Returns NULL without
 * memory: the caller then makes the call alone.
 */
struct grc_singleflight *grc_singleflight_enter(struct grc_singleflights *shares,
                                                const struct grc_singleflight_key *key,
                                                bool *ret_leads);
/* How many calls wait for this leader. */
unsigned grc_singleflight_waiting(struct grc_singleflight *share);
/* From here on no call can join. Tells whether any call waits. */
bool grc_singleflight_close(struct grc_singleflights *shares, struct grc_singleflight *share);
/* Ends the wait of the others. answer (borrowed): what they get; NULL: they enter again. */
void grc_singleflight_publish(struct grc_singleflight *share, struct grc_answer *answer);
/* Waits until deadline_ms (monotonic). Fills the exchange when there is an answer. */
enum grc_singleflight_end grc_singleflight_wait(struct grc_singleflight *share,
                                                struct grc_exchange *exchange, int64_t deadline_ms);
/* Tells whether the calls that wait should get this outcome. They should not when only the leader's
 * own request is the reason for it. */
bool grc_singleflight_worth(const struct grc_exchange *exchange);
