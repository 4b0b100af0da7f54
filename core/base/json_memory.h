/*
 * The memory of jansson. A JSON object takes a dozen small blocks. The C library keeps seven freed
 * blocks of each size for a thread and takes a lock for more, and with many threads those blocks
 * have left the processor's cache when their thread runs again. So a request brings a freelist of
 * blocks, and the requests that follow each other, on any thread, use the same few blocks.
 *
 * The blocks come from malloc(): jansson's values may be released on any thread, with or without a
 * freelist.
 */
#pragma once

#define GRC_JSON_CLASSES 9u

/* Zeroed memory is an empty freelist. Used by one thread at a time. */
struct grc_json_freelist {
    struct grc_json_block *free[GRC_JSON_CLASSES];
    unsigned char count[GRC_JSON_CLASSES];
};

/* Makes jansson use freelists. Called once, before there are threads and JSON values. Does nothing
 * under sanitizers, which could not tell a block on a freelist from one in use. */
void grc_json_memory_init(void);
/* Makes the calling thread use this freelist from now on, or none with NULL. */
void grc_json_freelist_use(struct grc_json_freelist *freelist);
/* Frees the blocks on a freelist that no thread uses. */
void grc_json_freelist_done(struct grc_json_freelist *freelist);
