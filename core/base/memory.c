#include "base/memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <unistd.h>

/* Blocks from this size on are mappings of their own, which go back when they are freed. The
 * library would raise the bound to the largest block it has seen freed. */
#define MAPPED_BYTES (256 * 1024)
/* Pieces of work that hold so much. Giving back takes about a millisecond: little beside the parse
 * of so much, a lot beside anything smaller. */
static _Atomic int large;

void grc_memory_init(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    mallopt(M_TRIM_THRESHOLD, 2 * MAPPED_BYTES);
    /* As many as workers run at a time (loop/turn.h). Each more keeps freed memory of its own. */
    mallopt(M_ARENA_MAX, (int)(processors > 0 ? processors : 1) + 1);
}

void grc_memory_taken(size_t bytes)
{
    if (bytes >= GRC_MEMORY_LARGE)
        atomic_fetch_add(&large, 1);
}

void grc_memory_freed(size_t bytes)
{
    if (bytes >= GRC_MEMORY_LARGE && atomic_fetch_sub(&large, 1) == 1)
        malloc_trim(0);
}
