#include "base/arena.h"

#include "base/format.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_BYTES 8192u

struct grc_arena_block {
    struct grc_arena_block *next;
    size_t size; /* of data */
    size_t used;
    alignas(max_align_t) char data[];
};

struct grc_defer {
    struct grc_defer *next;
    void (*fn)(void *);
    void *arg;
};

void grc_arena_init(struct grc_arena *arena, size_t max_bytes)
{
    *arena = (struct grc_arena){.max_bytes = max_bytes};
}

static void run_defers(struct grc_arena *arena)
{
    while (arena->defers) {
        struct grc_defer *defer = arena->defers;

        arena->defers = defer->next;
        defer->fn(defer->arg);
    }
}

/* Frees every block but one of the standard size, so that the next request starts with memory. */
static struct grc_arena_block *free_blocks(struct grc_arena_block *block, bool keep_one)
{
    struct grc_arena_block *kept = NULL;

    while (block) {
        struct grc_arena_block *next = block->next;

        if (keep_one && !kept && block->size == BLOCK_BYTES)
            kept = block;
        else
            free(block);
        block = next;
    }
    if (kept) {
        kept->next = NULL;
        kept->used = 0;
    }
    return kept;
}

void grc_arena_reset(struct grc_arena *arena)
{
    run_defers(arena);
    arena->blocks = free_blocks(arena->blocks, true);
    arena->used_bytes = 0;
}

void grc_arena_done(struct grc_arena *arena)
{
    run_defers(arena);
    free_blocks(arena->blocks, false);
    arena->blocks = NULL;
    arena->used_bytes = 0;
}

static struct grc_arena_block *add_block(struct grc_arena *arena, size_t bytes)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct grc_arena_block *block = malloc(sizeof(*block) + size);

    if (!block)
        return NULL;
    block->size = size;
    block->used = 0;
    /* A block made for one large object goes behind the current one, which still has room. */
    if (bytes > BLOCK_BYTES && arena->blocks) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        block->next = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

/* As grc_arena_alloc(), but the memory is not zeroed. */
static void *take(struct grc_arena *arena, size_t bytes)
{
    const size_t align = alignof(max_align_t);

    if (bytes > arena->max_bytes)
        return NULL;
    size_t rounded = (bytes + align - 1) & ~(align - 1);
    if (rounded == 0)
        rounded = align;
    if (rounded > arena->max_bytes - arena->used_bytes)
        return NULL;
    struct grc_arena_block *block = arena->blocks;
    if (!block || block->size - block->used < rounded) {
        block = add_block(arena, rounded);
        if (!block)
            return NULL;
    }
    void *ptr = block->data + block->used;
    block->used += rounded;
    arena->used_bytes += rounded;
    return ptr;
}

void *grc_arena_alloc(struct grc_arena *arena, size_t bytes)
{
    void *ptr = take(arena, bytes);

    return ptr ? memset(ptr, 0, bytes) : NULL;
}

bool grc_arena_charge(struct grc_arena *arena, size_t bytes)
{
    if (bytes > grc_arena_left(arena))
        return false;
    arena->used_bytes += bytes;
    return true;
}

char *grc_arena_copy(struct grc_arena *arena, gr_str s)
{
    char *copy = s.len == SIZE_MAX ? NULL : take(arena, s.len + 1);

    if (!copy)
        return NULL;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

char *grc_arena_vformat(struct grc_arena *arena, const char *format, va_list args)
{
    struct grc_arena_block *block = arena->blocks;
    size_t room = block ? block->size - block->used : 0;
    char *at = room ? block->data + block->used : NULL;
    va_list again;

    /* Most texts fit into the room at hand; the others are written a second time. */
    va_copy(again, args);
    int len = vsnprintf(at, room, format, again);
    va_end(again);
    char *text = len < 0 ? NULL : take(arena, (size_t)len + 1);
    if (text && text != at)
        vsnprintf(text, (size_t)len + 1, format, args);
    return text;
}

char *grc_arena_format(struct grc_arena *arena, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *text = grc_arena_vformat(arena, format, args);
    va_end(args);
    return text;
}

char *grc_arena_int(struct grc_arena *arena, int64_t value)
{
    char digits[GRC_INT_SIZE];

    return grc_arena_copy(arena, grc_int_text(value, digits));
}

enum gr_err grc_arena_defer(struct grc_arena *arena, void (*fn)(void *), void *arg)
{
    struct grc_defer *defer = grc_arena_alloc(arena, sizeof(*defer));

    if (!defer) {
        fn(arg);
        return GR_ERR_NO_MEMORY;
    }
    *defer = (struct grc_defer){.next = arena->defers, .fn = fn, .arg = arg};
    arena->defers = defer;
    return GR_OK;
}
