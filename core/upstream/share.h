/*
 * Single-flight: calls that ask the same thing at the same time make one call of it. The first one
 * leads, the others wait for its answer, each with its own deadline and its own client to watch.
 *
 * Alike are GETs without a body to the same upstream and target, with the same headers and
 * credential, of callers with the same rights (the exchange's partition). A call never joins one
 * that began before a write through this gateway had ended: whoever wrote reads what was written.
 *
 * Thread-safe: the table is sharded, and no lock is held while anything travels.
 */
#pragma once

#include "upstream/answer.h"

struct grc_shares; /* the calls in flight of all upstreams */
struct grc_share;  /* one call in flight that others may join */

/* What makes calls alike. Borrows from the exchange. */
struct grc_share_key {
    const struct grc_exchange *exchange;
    const void *upstream; /* its address stands for it */
    uint64_t hash;
    uint64_t epoch; /* writes to the upstream so far */
};

enum grc_share_end {
    GRC_SHARE_ANSWERED = 1, /* the exchange is filled */
    GRC_SHARE_AGAIN,        /* the leader failed for reasons of its own: enter again */
    GRC_SHARE_LATE,         /* the deadline passed */
    GRC_SHARE_GONE,         /* the client left */
};

struct grc_shares *grc_shares_new(void);
/* Nobody may be in it. NULL is fine. */
void grc_shares_free(struct grc_shares *shares);

/* May this exchange be shared at all? */
bool grc_share_fits(const struct grc_exchange *exchange);
/* The hash of everything that makes exchanges alike but the epoch. seed: any number, the same
 * within a process. */
uint64_t grc_share_hash(const struct grc_exchange *exchange, const void *upstream, uint64_t seed);

/*
 * Joins a call in flight, or becomes one. *ret_leads tells which. A leader makes the call and then
 * calls grc_share_close() and grc_share_publish(); everybody else calls grc_share_wait(). The key's
 * exchange must stay as it is until then. NULL without memory: make the call alone.
 */
struct grc_share *grc_share_enter(struct grc_shares *shares, const struct grc_share_key *key,
                                  bool *ret_leads);
/* How many wait for this leader. */
unsigned grc_share_waiting(struct grc_share *share);
/* Nobody joins from here on. Tells whether anybody waits. */
bool grc_share_close(struct grc_shares *shares, struct grc_share *share);
/* Ends the wait of the others. answer (borrowed): what they get; NULL: they enter again. */
void grc_share_publish(struct grc_share *share, struct grc_answer *answer);
/* Waits until deadline_ms (monotonic). Fills the exchange when there is an answer. */
enum grc_share_end grc_share_wait(struct grc_share *share, struct grc_exchange *exchange,
                                  int64_t deadline_ms);
/* Should the others get this outcome? Not what is the leader's own fault or fate. */
bool grc_share_worth(const struct grc_exchange *exchange);
