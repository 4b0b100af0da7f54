/* How the C library takes memory from the system and gives it back. */
#pragma once

#include <stddef.h>

/* Once, before there are threads. */
void grc_memory_init(void);
/* What counts as large, in bytes. */
#define GRC_MEMORY_LARGE ((size_t)1024 * 1024)
/*
 * Told when a piece of work begins that takes so much, in many small blocks, and when they are
 * freed. When no large one is left, what the C library keeps of them goes back to the system.
 * Thread-safe.
 */
void grc_memory_taken(size_t bytes);
void grc_memory_freed(size_t bytes);
