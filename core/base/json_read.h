/*
 * Reads JSON into jansson's values. It accepts and refuses what jansson's own reader does with
 * JSON_REJECT_DUPLICATES and JSON_DECODE_ANY, at a quarter of its instructions: jansson's takes its
 * input character by character, and copies each token once more. A NUL byte is refused everywhere;
 * jansson's reader passes over one that follows a token.
 */
#pragma once

#include "base/json.h"

/*
 * The text must have passed grc_json_guard(), which bounds the recursion.
 * Returns NULL on failure: *ret_reason says what is wrong, and *ret_at is the byte where. It
 * allocates with jansson's functions. Thread-safe.
 */
json_t *grc_json_read(gr_str text, const char **ret_reason, size_t *ret_at);
