/* Writes a request of HTTP/1.1 (RFC 9112) as it goes over the wire. */
#pragma once

#include "base/buf.h"
#include "upstream/upstream.h"

/* Bodies up to this size are written behind their head, so that both leave in one packet. */
#define GRC_HTTP1_BODY_INLINE 16384u

/* What is the same in every request to an upstream. */
struct grc_http1_target {
    const char *authority; /* host, and port unless it is the scheme's own */
    const char *prefix;    /* in front of every target; no slash at its end */
};

/*
 * Replaces what is in the buffer by the request's head and, unless it is large, its body: the slice
 * in *ret_rest is what is still to be sent behind it, borrowed from the exchange. token_line: a
 * whole "Authorization: …" line without its end, or NULL. GR_ERR_INTERNAL: a target, name or value
 * that must not be sent; GR_ERR_URI: more than the buffer may hold; GR_ERR_NO_MEMORY.
 */
enum gr_err grc_http1_request_write(struct grc_buf *out, const struct grc_http1_target *target,
                                    const struct grc_exchange *exchange, const char *token_line,
                                    gr_str *ret_rest);
