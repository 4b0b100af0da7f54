/* The memory of one request: allocated piece by piece, released all at once. Used by one thread at
 * a time. */
#pragma once

#include <greenroom/plugin.h>

#include <stdarg.h>

struct grc_arena_block;
struct grc_defer;

struct grc_arena {
    struct grc_arena_block *blocks;
    struct grc_defer *defers;
    size_t used_bytes;
    size_t max_bytes;
};

void grc_arena_init(struct grc_arena *arena, size_t max_bytes);
/* Runs the deferred functions, last first, then frees everything but one block for reuse. */
void grc_arena_reset(struct grc_arena *arena);
/* As grc_arena_reset(), but frees the last block too. */
void grc_arena_done(struct grc_arena *arena);
/* Returns zeroed memory, aligned for any type. NULL over max_bytes or without memory. */
void *grc_arena_alloc(struct grc_arena *arena, size_t bytes);
/* NUL-terminated copy. */
char *grc_arena_copy(struct grc_arena *arena, gr_str s);
char *grc_arena_format(struct grc_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *grc_arena_int(struct grc_arena *arena, int64_t value);
char *grc_arena_vformat(struct grc_arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Counts memory outside of the arena for its limit, until the reset. Returns false, and counts
 * nothing, if it would exceed the limit. */
bool grc_arena_charge(struct grc_arena *arena, size_t bytes);
/* The memory that the request may still use. */
static inline size_t grc_arena_left(const struct grc_arena *arena)
{
    return arena->max_bytes > arena->used_bytes ? arena->max_bytes - arena->used_bytes : 0;
}
/* Has fn(arg) run at the next reset. On failure it has run already. */
enum gr_err grc_arena_defer(struct grc_arena *arena, void (*fn)(void *), void *arg);
