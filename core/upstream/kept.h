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
    bool looks;  /* also from and in the shared cache, which is reached */
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
 * lease when there is nothing. Returns true when the exchange is filled, also because its client
 * has left; false: ask the upstream. May park. Only where the reading looks. */
bool grc_kept_look(struct grc_reading *reading, bool leases);
/* After that: whether others may get a late answer while this call fetches a new one. */
bool grc_kept_is_late(struct grc_reading *reading);
/* The upstream has failed: fills the exchange with a late answer, where that may be served. */
void grc_kept_find_stale(struct grc_reading *reading);
/* The upstream was asked: keeps its answer, if it may. Returns a copy for calls that wait for it,
 * when waited_for and it is of use to them, else NULL. */
struct grc_answer *grc_kept_put(struct grc_reading *reading, bool waited_for);
/* The call could not be answered from a cache. */
void grc_kept_count_miss(const struct grc_reading *reading);
