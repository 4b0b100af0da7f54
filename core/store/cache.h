/* The prepared statements of a connection, by key. The least recently used one makes room. */
#pragma once

#include <greenroom/plugin.h>

#define GRC_CACHE_SLOTS 128u

/* The first member of an engine's prepared statement. */
struct grc_cached {
    uint64_t hash;
    uint64_t used;
    char *key;
    size_t key_len;
    bool busy; /* rows are being read from it: it must be neither dropped nor used again */
};

struct grc_cache {
    struct grc_cached *slots[GRC_CACHE_SLOTS];
    size_t count;
    uint64_t clock;
    /* Frees a statement except its key; owner is the connection. */
    void (*drop)(void *owner, struct grc_cached *item);
    void *owner;
};

/* Returns NULL when there is no statement with this key. */
struct grc_cached *grc_cache_find(struct grc_cache *cache, gr_str key);
/* Takes ownership of the item, and copies the key. Returns false without memory or while all
 * statements are busy; the caller then keeps the item. */
bool grc_cache_add(struct grc_cache *cache, gr_str key, struct grc_cached *item);
void grc_cache_remove(struct grc_cache *cache, struct grc_cached *item);
void grc_cache_clear(struct grc_cache *cache);
