#include "base/json_memory.h"

#include <jansson.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

#define KEPT_MAX 24u /* blocks of each class */

#ifdef GRC_SANITIZED
#define WATCHED true
#else
#define WATCHED false
#endif

struct grc_json_block {
    struct grc_json_block *next;
};

static _Thread_local struct grc_json_freelist *current;

/* Classes follow the sizes of the C library's blocks: a block of class n holds 16 n + 8 bytes or
 * more. */
static size_t class_for(size_t size)
{
    return size <= 24 ? 1 : (size + 7) / 16;
}

static size_t class_of(void *memory)
{
    return (malloc_usable_size(memory) - 8) / 16;
}

static void *take(size_t size)
{
    struct grc_json_freelist *freelist = current;
    size_t class = class_for(size);

    if (!freelist || class >= GRC_JSON_CLASSES || !freelist->free[class])
        return malloc(size);
    struct grc_json_block *block = freelist->free[class];

    freelist->free[class] = block->next;
    freelist->count[class]--;
    return block;
}

static void give(void *memory)
{
    struct grc_json_freelist *freelist = current;
    size_t class = freelist ? class_of(memory) : GRC_JSON_CLASSES;

    if (class >= GRC_JSON_CLASSES || freelist->count[class] == KEPT_MAX) {
        free(memory);
        return;
    }
    struct grc_json_block *block = memory;

    block->next = freelist->free[class];
    freelist->free[class] = block;
    freelist->count[class]++;
}

void grc_json_memory_init(void)
{
    if (!WATCHED)
        json_set_alloc_funcs(take, give);
}

void grc_json_freelist_use(struct grc_json_freelist *freelist)
{
    current = freelist;
}

void grc_json_freelist_done(struct grc_json_freelist *freelist)
{
    for (size_t i = 0; i < GRC_JSON_CLASSES; i++) {
        while (freelist->free[i]) {
            struct grc_json_block *block = freelist->free[i];

            freelist->free[i] = block->next;
            free(block);
        }
        freelist->count[i] = 0;
    }
}
