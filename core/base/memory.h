/* Controls how the C library allocates memory from the system and returns it. */
#pragma once

#include <stddef.h>

/* Once, before there are threads. */
void grc_memory_init(void);
/* The size from which a piece of work counts as large, in bytes. */
#define GRC_MEMORY_LARGE ((size_t)1024 * 1024)
/*
 * Call these when a piece of work begins that allocates so much in many small blocks, and after
 * they were freed. When there is no large one left, free memory is returned to the system.
 * Thread-safe.
 */
void grc_memory_taken(size_t bytes);
void grc_memory_freed(size_t bytes);
