/*
 * Where jansson's memory comes from. One JSON object is a dozen small blocks; the C library keeps
 * seven of a size at hand for each thread and takes a lock for the others, and what one of many
 * threads keeps is cold when that thread is next. So a request brings a freelist of freed blocks,
 * and requests that follow each other, on whatever thread, use the same few.
 *
 * Blocks stay blocks of malloc(): what jansson hands out may be released with free(), on any
 * thread, with or without a freelist.
 */
#pragma once

#define GRC_JSON_CLASSES 9u

/* Zeroed memory is an empty one. Used by one thread at a time. */
struct grc_json_freelist {
    struct grc_json_block *free[GRC_JSON_CLASSES];
    unsigned char count[GRC_JSON_CLASSES];
};

/* Makes jansson look at shelves. Once, before threads and before the first JSON value. Does nothing
 * under sanitizers, which could not see through it. */
void grc_json_memory_init(void);
/* From now on this thread uses the freelist; NULL: none. */
void grc_json_freelist_use(struct grc_json_freelist *freelist);
/* Frees the blocks on a freelist that no thread uses. */
void grc_json_freelist_done(struct grc_json_freelist *freelist);
