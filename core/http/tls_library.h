/* Makes the linked libcivetweb able to speak TLS, where that takes something. */
#pragma once

#include <stdbool.h>

/*
 * Before the first HTTPS listener starts; on one thread. false with a reason (one line, literal or
 * kept for ever) when it cannot be done.
 */
bool grc_tls_library_open(const char **ret_reason);
