/*
 * Reads one answer of an HTTP/1.1 upstream (RFC 9112) as its bytes arrive, in pieces of any size.
 *
 * It is strict: what an honest server does not send is broken, because a gateway that guesses where
 * an answer ends may give one caller the bytes of another. What is tolerated, and why, stands in
 * the table of tests/unit/test_http1_answer.c.
 *
 * The answer is parsed in the buffer that it was received into; the body ends up there as one
 * piece, without the frames of its chunks. The parser allocates nothing and makes no system calls.
 */
#pragma once

#include "base/buf.h"

/* Bytes of all heads, chunk sizes and trailers of one answer, together. */
#define GRC_HTTP1_HEAD_MAX 65536u

enum grc_http1_end {
    GRC_HTTP1_MORE = 1, /* the answer goes on */
    GRC_HTTP1_WHOLE,    /* it has ended; what it says is in the struct */
    GRC_HTTP1_BROKEN,   /* it is of no use; reason says why */
};

/* Is told the status and then each field of the final head, never those of interim answers, nor
 * trailers. The slices are good for the duration of the call. The name is a token; the value is
 * trimmed and has no CR, LF or NUL, but may have other control characters. */
struct grc_http1_fields {
    void (*field)(void *arg, const struct gr_pair *pair);
    void *arg;
};

struct grc_http1_answer {
    /* Of the caller, set before grc_http1_answer_begin(). */
    struct grc_buf *in; /* borrowed; its limit leaves room for body_max and GRC_HTTP1_HEAD_MAX */
    size_t body_max;    /* bytes; a larger body is broken */
    bool to_head;       /* answers a HEAD request, so that no body follows */
    struct grc_http1_fields fields;

    /* What is known when it is whole. */
    int status;
    bool kept;          /* the connection can take another request */
    int64_t kept_max_s; /* for how long, by the server's own word; -1: it did not say */
    const char *reason; /* when broken: a literal, in plain words */

    /* Of the parser. */
    unsigned char state;
    bool minor_0; /* HTTP/1.0 */
    bool chunked;
    bool close;
    bool keep_alive;
    int64_t length;   /* announced; -1: not */
    int64_t left;     /* bytes of this chunk, or of the body, that are still to come */
    size_t head_used; /* bytes that count against GRC_HTTP1_HEAD_MAX */
    size_t at;        /* everything in front of it is read */
    size_t scanned;   /* no line feed between at and this */
    size_t body_at;
    size_t body_len;
};

/* Makes it ready for an answer and clears the buffer. */
void grc_http1_answer_begin(struct grc_http1_answer *answer);

/* Reads the bytes that were appended to the buffer since the last call. Once it has returned
 * anything but GRC_HTTP1_MORE it is not called again. */
enum grc_http1_end grc_http1_answer_read(struct grc_http1_answer *answer);

/* The upstream has closed its side. Ends a body that lasts until then; all else is broken. */
enum grc_http1_end grc_http1_answer_closed(struct grc_http1_answer *answer);

/* How many more bytes of the body are announced to come; 0 when that is not known. */
size_t grc_http1_answer_awaits(const struct grc_http1_answer *answer);

/* The body so far, in the buffer. */
gr_str grc_http1_answer_body(const struct grc_http1_answer *answer);
