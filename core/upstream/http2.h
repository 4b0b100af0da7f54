/*
 * The transport for "http2": true. The calls to an upstream share a few TLS connections, on which
 * libcurl multiplexes them. Before anything is sent, it is known whether the upstream agrees to
 * HTTP/2; if not, its calls use the transport that is configured for it.
 */
#pragma once

#include "upstream/transfer.h"

struct grc_http2;

/* Returns NULL without memory. */
struct grc_http2 *grc_http2_new(void);
/* Closes the connections. No call may be in progress. NULL is fine. */
void grc_http2_free(struct grc_http2 *http2);

/* Makes an attempt with transfer->upstream->http2, and waits for its end. Returns false, with
 * nothing sent, when the upstream does not speak HTTP/2 now. Thread-safe. */
bool grc_http2_attempt(struct grc_transfer *transfer, struct grc_outcome *ret_outcome);
