/*
 * Keeps answers for a short time, for routes that an operator has configured with "cache": "2s".
 * Its size is limited in bytes; the least recently used answer makes room. Thread-safe; the caller
 * passes the time.
 *
 * What may be kept: a 200 with JSON to a plain GET, which the upstream did not forbid
 * (Cache-Control: no-store, private, no-cache; Vary: *; Set-Cookie), for no longer than it allows
 * (max-age). An answer is found again only for the same upstream, target with query, and partition:
 * callers with other rights never see it. An answer whose time has passed may be served while the
 * upstream fails or is asked again, if the operator allows that (RFC 5861). A write through this
 * gateway drops the answers kept for its path and the paths above it (RFC 9111, section 4.4).
 */
#pragma once

#include "upstream/answer.h"

struct grc_cache;

struct grc_cache_key {
    const void *upstream; /* compared by address */
    gr_str target;
    gr_str partition;
    bool no_credential;
    uint64_t hash; /* of the other members */
};

/* What is kept for a key. */
struct grc_cache_found {
    enum grc_cache_state state;
    int64_t age_s;   /* how old the answer is */
    int64_t fresh_s; /* the time that it has left; below 0: the time since its end */
    /* of the shared cache, see struct grc_cache_life */
    int64_t generation;
    int64_t checked_ms;
};

/* How long an answer is kept. */
struct grc_cache_life {
    int64_t ttl_ms; /* from now on; an answer from the shared cache may be late already */
    int64_t age_s;  /* how old it is already */
    bool no_stale;  /* it may not be served after ttl_ms */
    /* For gateways that share answers (upstream/remote.h): the generation of its path for which the
     * answer is right (0: unknown), and the moment (monotonic) until which it need not be checked.
     */
    int64_t generation;
    int64_t checked_ms;
};

/* NULL without memory. */
struct grc_cache *grc_cache_new(size_t max_bytes);
void grc_cache_free(struct grc_cache *cache); /* NULL is fine */

/* Tells whether the call may be answered from the cache, and its answer be kept. */
bool grc_cache_fits(const struct grc_exchange *exchange);
struct grc_cache_key grc_cache_key(const struct grc_exchange *exchange, const void *upstream,
                                   uint64_t seed);

/*
 * A new reference, or NULL: then the caller asks the upstream. times are those of the route. Of
 * several callers that find an answer within its stale_while_revalidate, one gets NULL and the
 * others get the answer.
 */
struct grc_answer *grc_cache_get(struct grc_cache *cache, const struct grc_cache_key *key,
                                 const struct grc_cache_settings *times, int64_t now_ms,
                                 struct grc_cache_found *ret_found);
/* For a call whose upstream has failed: a kept answer within its stale_if_error, or NULL. */
struct grc_answer *grc_cache_get_stale(struct grc_cache *cache, const struct grc_cache_key *key,
                                       const struct grc_cache_settings *times, int64_t now_ms,
                                       struct grc_cache_found *ret_found);
/* A mark for grc_cache_put(), to be taken before the call is made: an answer that was asked for
 * before the end of a write is not kept. */
uint32_t grc_cache_mark(struct grc_cache *cache, const struct grc_cache_key *key);
/* Returns how long the answer of an exchange may be kept; 0: not at all. */
int64_t grc_cache_ttl_ms(const struct grc_exchange *exchange);
/* Takes a reference of its own. false: it is not kept, for want of memory or because it is too
 * large. */
bool grc_cache_put(struct grc_cache *cache, const struct grc_cache_key *key, uint32_t mark,
                   struct grc_answer *answer, int64_t now_ms, const struct grc_cache_life *life);
/* The path of the key has this generation: what is kept under it need not be checked until
 * checked_ms, and what is kept under another one is dropped. */
void grc_cache_check(struct grc_cache *cache, const struct grc_cache_key *key, int64_t generation,
                     int64_t checked_ms);
/* How long an answer is of use after its time has passed. */
int64_t grc_cache_stale_ms(const struct grc_cache_settings *times);
/* The path of a target, and the path above it; empty when there is none. */
gr_str grc_cache_path(gr_str target);
gr_str grc_cache_parent(gr_str path);
/* Drops what a write to this target, which has ended, makes old. */
void grc_cache_wrote(struct grc_cache *cache, const void *upstream, gr_str target);
/* The number of bytes in use. */
size_t grc_cache_bytes(struct grc_cache *cache);
