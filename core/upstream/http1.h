/*
 * The HTTP/1.1 transport: one request over a connection of its own or a kept one, written and read
 * by us. It waits for the upstream without holding a thread where the caller is on a fiber.
 * Thread-safe.
 */
#pragma once

#include "upstream/transfer.h"

/*
 * Makes one attempt of a transfer that was launched. With GR_OK in the outcome the exchange has its
 * answer. A kept connection that turns out to be dead before the first byte of an answer is
 * replaced by a new one, once: by any call when nothing was sent, else by those that are safe to
 * repeat.
 */
struct grc_outcome grc_http1_attempt(struct grc_transfer *transfer);
