#include "config/keep.h"

#include "base/secure.h"

#include <stdlib.h>

struct grc_keep_block {
    struct grc_keep_block *next;
    size_t bytes;
    json_t *json;
    max_align_t data[];
};

static struct grc_keep_block *block_new(struct grc_keep *keep, size_t bytes)
{
    struct grc_keep_block *block;

    if (bytes > SIZE_MAX - sizeof(*block))
        return NULL;
    block = calloc(1, sizeof(*block) + bytes);
    if (!block)
        return NULL;
    block->bytes = bytes;
    block->next = keep->blocks;
    keep->blocks = block;
    return block;
}

void *grc_keep_alloc(struct grc_keep *keep, size_t bytes)
{
    struct grc_keep_block *block = block_new(keep, bytes ? bytes : 1);

    return block ? block->data : NULL;
}

char *grc_keep_copy(struct grc_keep *keep, gr_str text)
{
    char *copy = grc_keep_alloc(keep, text.len + 1);

    if (copy && text.len)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

const json_t *grc_keep_json(struct grc_keep *keep, json_t *stolen)
{
    struct grc_keep_block *block = block_new(keep, 0);

    if (!block) {
        grc_json_wipe(stolen);
        return NULL;
    }
    block->json = stolen;
    return stolen;
}

void grc_keep_done(struct grc_keep *keep)
{
    while (keep->blocks) {
        struct grc_keep_block *block = keep->blocks;

        keep->blocks = block->next;
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
        /* jansson returns its own bytes as const; the value is dropped next, so they may be
         * overwritten. */
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
