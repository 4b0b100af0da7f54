/* Writes an HTTP/1.1 request (RFC 9112). */
#pragma once

#include "base/buf.h"
#include "upstream/upstream.h"

/* Bodies up to this size are written behind the head, so that both are sent at once. */
#define GRC_HTTP1_BODY_INLINE 16384u

/* The parts of the target that all requests to an upstream share. */
struct grc_http1_target {
    const char *authority; /* the host, and the port unless it is the scheme's default */
    const char *prefix;    /* put before every target; without a slash at its end */
};

/*
 * Replaces the content of the buffer by the head of the request and, unless it is large, its body.
 * *ret_rest is what has to be sent behind that, borrowed from the exchange. token_line is a whole
 * "Authorization: …" line without its end, or NULL. Returns GR_ERR_INTERNAL for a target, name or
 * value that must not be sent, GR_ERR_URI when the buffer's limit is too small, GR_ERR_NO_MEMORY.
 */
enum gr_err grc_http1_request_write(struct grc_buf *out, const struct grc_http1_target *target,
                                    const struct grc_exchange *exchange, const char *token_line,
                                    gr_str *ret_rest);
