/*
 * Parses an answer of an HTTP/1.1 upstream (RFC 9112) as its bytes arrive, in pieces of any size.
 *
 * The parser is strict: a gateway that guesses where an answer ends may give one caller the bytes
 * of another. The table in tests/unit/test_http1_answer.c lists what it tolerates, and why.
 *
 * The answer is parsed in the buffer that it was received into. The body ends up there as one
 * piece, without the framing of its chunks. The parser allocates nothing and makes no system calls.
 */
#pragma once

#include "base/buf.h"

/* The limit for all heads, chunk sizes and trailers of one answer together, in bytes. */
#define GRC_HTTP1_HEAD_MAX 65536u

enum grc_http1_end {
    GRC_HTTP1_MORE = 1, /* the answer goes on */
    GRC_HTTP1_WHOLE,    /* the answer is complete, and in the struct */
    GRC_HTTP1_BROKEN,   /* the answer cannot be used; reason tells why */
};

/* Called with each field of the final head, but not with those of interim answers or trailers. The
 * slices are valid during the call. The name is a token; the value is trimmed and has no CR, LF or
 * NUL, but may have other control characters. */
struct grc_http1_fields {
    void (*field)(void *arg, const struct gr_pair *pair);
    void *arg;
};

struct grc_http1_answer {
    /* The caller sets these before grc_http1_answer_begin(). */
    struct grc_buf *in; /* borrowed; its limit leaves room for body_max and GRC_HTTP1_HEAD_MAX */
    size_t body_max;    /* in bytes; an answer with a larger body is broken */
    bool to_head;       /* it answers a HEAD request, so no body follows */
    struct grc_http1_fields fields;

    /* These are set when the answer is complete. */
    int status;
    bool kept;          /* the connection can be used for another request */
    int64_t kept_max_s; /* how long the server keeps it, from Keep-Alive; -1: unknown */
    const char *reason; /* a literal, when the answer is broken */

    /* The state of the parser. */
    unsigned char state;
    bool minor_0; /* HTTP/1.0 */
    bool chunked;
    bool close;
    bool keep_alive;
    int64_t length;   /* Content-Length; -1: none */
    int64_t left;     /* bytes of this chunk, or of the body, that have not come yet */
    size_t head_used; /* bytes that count against GRC_HTTP1_HEAD_MAX */
    size_t at;        /* everything before it has been parsed */
    size_t scanned;   /* there is no line feed between `at` and here */
    size_t body_at;
    size_t body_len;
};

/* Prepares for an answer, and clears the buffer. */
void grc_http1_answer_begin(struct grc_http1_answer *answer);

/* Parses the bytes that were appended to the buffer since the last call. Must not be called again
 * after it has returned anything but GRC_HTTP1_MORE. */
enum grc_http1_end grc_http1_answer_read(struct grc_http1_answer *answer);

/* Called when the upstream has closed its side. That completes a body without a length; any other
 * incomplete answer is broken. */
enum grc_http1_end grc_http1_answer_closed(struct grc_http1_answer *answer);

/* Returns how many more bytes of the body are announced; 0 when that is unknown. */
size_t grc_http1_answer_awaits(const struct grc_http1_answer *answer);

/* Returns the body so far, in the buffer. */
gr_str grc_http1_answer_body(const struct grc_http1_answer *answer);
