/* Makes the linked libcivetweb able to speak TLS, where that takes something. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * inside is the address of any function of libcivetweb: it tells which image is meant.
 * Before the first HTTPS listener starts; on one thread. false with a reason (one line, literal or
 * kept for ever) when it cannot be done.
 */
bool grc_tls_library_open(uintptr_t inside, const char **ret_reason);
