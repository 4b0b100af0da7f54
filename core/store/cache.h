/* Prepared statements of one connection, by key; the least recently used one makes room. */
#pragma once

#include <greenroom/plugin.h>

#define GRC_CACHE_SLOTS 128u

/* First member of an engine's prepared statement. */
struct grc_cached {
    uint64_t hash;
    uint64_t used;
    char *key;
    size_t key_len;
    bool busy; /* rows are being read from it: it must not go, nor be used again */
};

struct grc_cache {
    struct grc_cached *slots[GRC_CACHE_SLOTS];
    size_t count;
    uint64_t clock;
    /* Frees a statement, but for its key; owner is the connection. */
    void (*drop)(void *owner, struct grc_cached *item);
    void *owner;
};

/* NULL when it is not there. */
struct grc_cached *grc_cache_find(struct grc_cache *cache, gr_str key);
/* Takes the item over and copies the key. false without memory or while all are busy: the item
 * stays the caller's. */
bool grc_cache_add(struct grc_cache *cache, gr_str key, struct grc_cached *item);
void grc_cache_remove(struct grc_cache *cache, struct grc_cached *item);
void grc_cache_clear(struct grc_cache *cache);
