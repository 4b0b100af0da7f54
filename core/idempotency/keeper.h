/*
 * What a runtime does about Idempotency-Keys beside its requests, on a thread of its own, once a
 * second: it tells the other gateways that it works, finds out which of them have gone, ends
 * records that could not be ended when the store was away, and removes those whose time is over.
 * Thread-safe.
 */
#pragma once

#include "idempotency/records.h"

/* An owner that has not counted up in so many looks, a second apart, is gone. Looks that the store
 * did not answer do not count. Clocks of machines play no part. */
#define GRC_KEEPER_LOOKS 5u

struct grc_keeper;

/* groups is ended by NULL and borrowed, as is the store. The tables exist. NULL without memory. */
struct grc_keeper *grc_keeper_new(struct grc_store *store, const char *const *groups);
/* After the last request has ended. Marks what is still open as lost; NULL is fine. */
void grc_keeper_free(struct grc_keeper *keeper);

/* A UUID, the owner of the records that this runtime makes. */
const char *grc_keeper_owner(const struct grc_keeper *keeper);
/* About how many records a group has: counted once a minute, and the claims since then. */
int64_t grc_keeper_count(struct grc_keeper *keeper, const char *group);
/* Before and after the request of a claim is served. */
void grc_keeper_begin(struct grc_keeper *keeper, const char *group);
void grc_keeper_end(struct grc_keeper *keeper);
/* Has a record ended that the store would not end now: released, or marked as lost. */
void grc_keeper_release_later(struct grc_keeper *keeper, const char *id, int64_t token);
void grc_keeper_lose_later(struct grc_keeper *keeper, const char *id, int64_t token);
