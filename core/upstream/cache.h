/*
 * Keeps answers for a short time, for routes that an operator has configured with "cache": "2s".
 * Its size is limited in bytes; the least recently used answer makes room. Thread-safe; the caller
 * passes the time.
 *
 * It keeps a 200 with JSON to a plain GET, unless the upstream forbids it (Cache-Control: no-store,
 * private, no-cache; Vary: *; Set-Cookie), and no longer than the upstream allows (max-age). An
 * answer is found only with the same upstream, target with query, and partition, so that callers
 * with other rights never get it. A write through this gateway drops the answers of its path and of
 * the paths above it (see RFC 9111, section 4.4).
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

/* NULL without memory. */
struct grc_cache *grc_cache_new(size_t max_bytes);
void grc_cache_free(struct grc_cache *cache); /* NULL is fine */

/* Tells whether the call may be answered from the cache, and its answer be kept. */
bool grc_cache_fits(const struct grc_exchange *exchange);
struct grc_cache_key grc_cache_key(const struct grc_exchange *exchange, const void *upstream,
                                   uint64_t seed);

/* Returns a new reference, or NULL. *ret_age_s is the age of the answer now. */
struct grc_answer *grc_cache_get(struct grc_cache *cache, const struct grc_cache_key *key,
                                 int64_t now_ms, int64_t *ret_age_s);
/* Returns a mark for grc_cache_put(), taken before the call is made: a write that ends meanwhile
 * makes the answer of the call out of date. */
uint32_t grc_cache_mark(struct grc_cache *cache, const struct grc_cache_key *key);
/* Returns how long the answer of an exchange may be kept; 0: not at all. */
int64_t grc_cache_ttl_ms(const struct grc_exchange *exchange);
/* Keeps an answer that is age_s old, with a reference of its own, unless it is too large or there
 * is no memory. */
void grc_cache_put(struct grc_cache *cache, const struct grc_cache_key *key, uint32_t mark,
                   struct grc_answer *answer, int64_t now_ms, int64_t ttl_ms, int64_t age_s);
/* Called when a write to this target has ended. */
void grc_cache_wrote(struct grc_cache *cache, const void *upstream, gr_str target);
/* The number of bytes in use. */
size_t grc_cache_bytes(struct grc_cache *cache);
