/*
 * What a runtime does about Idempotency-Keys beside its requests, on a thread of its own, once a
 * second: it tells the other gateways that it works, finds out which of them have gone, ends
 * records that could not be ended when the store was away, and removes those whose time is over.
 * Thread-safe.
 */
#pragma once

#include "idempotency/later.h"

/* The keeper looks at the other owners once a second. An owner whose beat has not changed for so
 * many looks is gone. Looks that the store did not answer do not count. The clocks of the machines
 * are not compared. */
#define GRC_KEEPER_LOOKS 5u

struct grc_keeper;

/* groups ends with NULL and is borrowed, like the store, whose tables have to exist. Returns NULL
 * without memory. */
struct grc_keeper *grc_keeper_new(struct grc_store *store, const char *const *groups);
/* Call it after the last request has ended. Marks records that are still open as lost. NULL is
 * allowed. */
void grc_keeper_free(struct grc_keeper *keeper);

/* A UUID, the owner of the records that this runtime makes. */
const char *grc_keeper_owner(const struct grc_keeper *keeper);
/* Roughly how many records a group has: they are counted once a minute, and later claims are added.
 * */
int64_t grc_keeper_count(struct grc_keeper *keeper, const char *group);
/* Call these before a claim, when the store has answered it (made: there is a new record, or may be
 * one), and after the request of the claim is served. */
void grc_keeper_begin(struct grc_keeper *keeper, const char *group);
void grc_keeper_claimed(struct grc_keeper *keeper, const char *group, bool made);
void grc_keeper_end(struct grc_keeper *keeper);
/* For a record whose end the store could not be told now: the keeper tells it later, and until then
 * its beat shows other gateways that the record is not lost. answer is copied; NULL without one. */
void grc_keeper_end_later(struct grc_keeper *keeper, enum grc_later_end end, const char *id,
                          int64_t token, const struct grc_record_answer *answer);
