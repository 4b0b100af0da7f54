#include "base/memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <unistd.h>

/* Blocks of this size and above are mapped separately and returned to the system when freed.
 * Without a fixed value the C library would raise it to the largest block that was freed. */
#define MAPPED_BYTES (256 * 1024)
/* Number of large pieces of work. Returning memory takes about a millisecond, which is little
 * compared with the work for a large piece, but much for a smaller one. */
static _Atomic int large;

void grc_memory_init(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    /* No fast bins: with them, each block over 1 KiB that is allocated costs a walk over all small
     * ones that were freed. The caches of the threads hold those. */
    mallopt(M_MXFAST, 0);
    mallopt(M_TRIM_THRESHOLD, 2 * MAPPED_BYTES);
    /* As many arenas as workers run at a time (loop/turn.h), since each arena keeps freed memory.
     */
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
