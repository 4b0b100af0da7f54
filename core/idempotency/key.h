/* The Idempotency-Key of a request. */
#pragma once

#include "base/arena.h"

#define GRC_IDEMPOTENCY_KEY "Idempotency-Key"
#define GRC_IDEMPOTENCY_KEY_MAX 255u

/*
 * Reads the value of the header. It is a string of structured fields (RFC 8941, section 3.3.3;
 * draft-ietf-httpapi-idempotency-key-header-07, section 2.1). Many clients leave the quotes out,
 * so a bare word is accepted as well and stands for the same key. Returns NULL, with a copy in the
 * arena in *ret_key; or a static text that says what was expected.
 */
const char *grc_idempotency_key(struct grc_arena *arena, gr_str value, gr_str *ret_key);
