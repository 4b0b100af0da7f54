/*
 * The gateway's own HTTP/1.1 transport: a request over a new or a kept connection. On a fiber it
 * waits for the upstream without holding a thread. Thread-safe.
 */
#pragma once

#include "upstream/transfer.h"

/*
 * Makes one attempt of a transfer that was launched. With GR_OK in the outcome the exchange has its
 * answer. When a kept connection breaks before the first byte of an answer, the request is sent
 * once more on a new connection, provided that nothing was sent or that it is safe to repeat.
 */
struct grc_outcome grc_http1_attempt(struct grc_transfer *transfer);
