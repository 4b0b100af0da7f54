#include "store/cache.h"

#include "base/hash.h"

#include <stdlib.h>

struct grc_cached *grc_cache_find(struct grc_cache *cache, gr_str key)
{
    uint64_t hash = grc_hash(0, key);

    for (size_t i = 0; i < cache->count; i++) {
        struct grc_cached *item = cache->slots[i];
        if (item->hash == hash && gr_str_eq((gr_str){item->key, item->key_len}, key)) {
            item->used = ++cache->clock;
            return item;
        }
    }
    return NULL;
}

static void remove_at(struct grc_cache *cache, size_t i)
{
    struct grc_cached *item = cache->slots[i];

    cache->slots[i] = cache->slots[--cache->count];
    free(item->key);
    item->key = NULL;
    cache->drop(cache->owner, item);
}

static bool make_room(struct grc_cache *cache)
{
    size_t oldest = cache->count;

    if (cache->count < GRC_CACHE_SLOTS)
        return true;
    for (size_t i = 0; i < cache->count; i++) {
        if (cache->slots[i]->busy)
            continue;
        if (oldest == cache->count || cache->slots[i]->used < cache->slots[oldest]->used)
            oldest = i;
    }
    if (oldest == cache->count)
        return false;
    remove_at(cache, oldest);
    return true;
}

bool grc_cache_add(struct grc_cache *cache, gr_str key, struct grc_cached *item)
{
    char *copy = malloc(key.len + 1);

    if (!copy)
        return false;
    if (!make_room(cache)) {
        free(copy);
        return false;
    }
    memcpy(copy, key.ptr, key.len);
    copy[key.len] = '\0';
    item->key = copy;
    item->key_len = key.len;
    item->hash = grc_hash(0, key);
    item->used = ++cache->clock;
    cache->slots[cache->count++] = item;
    return true;
}

void grc_cache_remove(struct grc_cache *cache, struct grc_cached *item)
{
    for (size_t i = 0; i < cache->count; i++) {
        if (cache->slots[i] == item) {
            remove_at(cache, i);
            return;
        }
    }
}

void grc_cache_clear(struct grc_cache *cache)
{
    while (cache->count)
        remove_at(cache, cache->count - 1);
}
