/*
 * A strict decoder of chunked bodies (RFC 9112, 7.1). Chunk extensions and trailers mean nothing to
 * anything behind the gateway, and both are places to hide a request in: they are refused.
 */
#pragma once

#include "base/buf.h"

enum grc_chunks_state {
    GRC_CHUNKS_SIZE = 0, /* the digits of a size */
    GRC_CHUNKS_SIZE_LF,  /* the LF behind them */
    GRC_CHUNKS_DATA,
    GRC_CHUNKS_DATA_CR,
    GRC_CHUNKS_DATA_LF,
    GRC_CHUNKS_END_CR, /* the empty line behind the last chunk */
    GRC_CHUNKS_END_LF,
    GRC_CHUNKS_DONE,
};

/* Starts as zeroes. */
struct grc_chunks {
    enum grc_chunks_state state;
    unsigned digits; /* of the size that is being read */
    uint64_t left;   /* bytes of the chunk still to come, or its size so far */
};

/*
 * Decodes bytes that came and appends them to body, as far as its limit. *ret_used of them belonged
 * to the chunks: less than len only when state is DONE, or after an error. GR_ERR_BAD_REQUEST,
 * GR_ERR_TOO_LARGE as soon as a chunk is announced that would go beyond the limit,
 * GR_ERR_NO_MEMORY.
 */
enum gr_err grc_chunks_take(struct grc_chunks *chunks, const char *bytes, size_t len,
                            struct grc_buf *body, size_t *ret_used);
