#include "config/pool.h"

#include "base/secure.h"

#include <stdlib.h>

struct grc_config_pool_block {
    struct grc_config_pool_block *next;
    size_t bytes;
    json_t *json;
    max_align_t data[];
};

static struct grc_config_pool_block *block_new(struct grc_config_pool *pool, size_t bytes)
{
    struct grc_config_pool_block *block;

    if (bytes > SIZE_MAX - sizeof(*block))
        return NULL;
    block = calloc(1, sizeof(*block) + bytes);
    if (!block)
        return NULL;
    block->bytes = bytes;
    block->next = pool->blocks;
    pool->blocks = block;
    return block;
}

void *grc_config_pool_alloc(struct grc_config_pool *pool, size_t bytes)
{
    struct grc_config_pool_block *block = block_new(pool, bytes ? bytes : 1);

    return block ? block->data : NULL;
}

char *grc_config_pool_copy(struct grc_config_pool *pool, gr_str text)
{
    char *copy = grc_config_pool_alloc(pool, text.len + 1);

    if (copy && text.len)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

const json_t *grc_config_pool_json(struct grc_config_pool *pool, json_t *stolen)
{
    struct grc_config_pool_block *block = block_new(pool, 0);

    if (!block) {
        grc_json_wipe(stolen);
        return NULL;
    }
    block->json = stolen;
    return stolen;
}

void grc_config_pool_done(struct grc_config_pool *pool)
{
    while (pool->blocks) {
        struct grc_config_pool_block *block = pool->blocks;

        pool->blocks = block->next;
        grc_json_wipe(block->json);
        grc_wipe(block->data, block->bytes);
        free(block);
    }
}

static void wipe_strings(json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    if (json_is_string(value)) {
        /* jansson hands out its own bytes as const; they are ours to overwrite here. */
        grc_wipe((void *)(uintptr_t)json_string_value(value), json_string_length(value));
    }
    json_object_foreach(value, key, member)
        wipe_strings(member);
    json_array_foreach(value, i, member)
        wipe_strings(member);
}

void grc_json_wipe(json_t *stolen)
{
    if (!stolen)
        return;
    wipe_strings(stolen);
    json_decref(stolen);
}
