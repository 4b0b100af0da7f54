/*
 * What is kept for one GET: in the cache of this gateway, and in the one that it shares with
 * others. For serve.c.
 */
#pragma once

#include "upstream/internal.h"

/* A GET, and its place in the caches. */
struct grc_reading {
    struct grc_upstreams *all;
    struct grc_upstream *upstream;
    struct grc_exchange *exchange;
    bool cached; /* the answer may come from the cache and be kept there */
    bool looks;  /* the same for the shared cache, whose server is reached */
    struct grc_cache_key key;
    enum grc_cache_state state; /* what the cache had */
    uint32_t mark;
    /* of the shared cache: */
    struct grc_remote_name name;
    struct grc_remote_found look; /* the last look */
    int64_t generation; /* of this gateway's own copy, when it is only served after a look */
};

/* Fills the exchange when this gateway has an answer that it may serve without asking. */
bool grc_kept_find(struct grc_reading *reading);
/* Looks in the shared cache, and waits while another gateway asks the upstream. leases: take the
 * lease when there is no answer. Returns true when the exchange is filled, with an answer or
 * because its client has left; on false the caller asks the upstream. May park. Needs
 * reading->looks. */
bool grc_kept_look(struct grc_reading *reading, bool leases);
/* After a look: whether other calls may get a late answer while this call fetches a new one. */
bool grc_kept_is_late(struct grc_reading *reading);
/* The upstream has failed: fills the exchange with a late answer, where that may be served. */
void grc_kept_find_stale(struct grc_reading *reading);
/* Keeps the answer that the upstream gave, if that is allowed. With waited_for, returns a copy for
 * the calls that wait for it, or NULL if it is of no use to them. */
struct grc_answer *grc_kept_put(struct grc_reading *reading, bool waited_for);
/* Counts a call that no cache could answer. */
void grc_kept_count_miss(const struct grc_reading *reading);
