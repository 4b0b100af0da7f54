/* Controls how the C library allocates memory from the system and returns it. */
#pragma once

#include <stddef.h>

/* Once, before there are threads. */
void grc_memory_init(void);
/* The size from which a piece of work counts as large, in bytes. */
#define GRC_MEMORY_LARGE ((size_t)1024 * 1024)
/*
 * Call the first when work begins that allocates so many bytes in many small blocks, and the second
 * after these were freed. When no large work is left, free memory is returned to the system.
 * Thread-safe.
 */
void grc_memory_taken(size_t bytes);
void grc_memory_freed(size_t bytes);
