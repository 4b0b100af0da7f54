/*
 * A strict decoder of chunked bodies (RFC 9112, 7.1). It refuses chunk extensions and trailers:
 * nothing behind the gateway uses them, and a request can be smuggled in them.
 */
#pragma once

#include "base/buf.h"

enum grc_chunks_state {
    GRC_CHUNKS_SIZE = 0, /* the digits of a size */
    GRC_CHUNKS_SIZE_LF,  /* the LF after the size */
    GRC_CHUNKS_DATA,
    GRC_CHUNKS_DATA_CR,
    GRC_CHUNKS_DATA_LF,
    GRC_CHUNKS_END_CR, /* the empty line after the last chunk */
    GRC_CHUNKS_END_LF,
    GRC_CHUNKS_DONE,
};

/* Zero-initialised at first. */
struct grc_chunks {
    enum grc_chunks_state state;
    unsigned digits; /* number of digits of the size so far */
    uint64_t left; /* bytes of the chunk still to come; while the size is read: its value so far */
};

/*
 * Decodes received bytes and appends the data to body. *ret_used is the number of bytes consumed;
 * it is less than len only when state is DONE, or after an error: GR_ERR_BAD_REQUEST,
 * GR_ERR_NO_MEMORY, or GR_ERR_TOO_LARGE as soon as the size of a chunk would exceed the limit of
 * body.
 */
enum gr_err grc_chunks_take(struct grc_chunks *chunks, const char *bytes, size_t len,
                            struct grc_buf *body, size_t *ret_used);
