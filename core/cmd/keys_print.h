/* The list of API keys, for `greenroom keys list`. */
#pragma once

#include "auth/keys.h"

/* Prints the keys as a table or as JSON, without their hashes. Returns an exit status. */
int grc_keys_print(struct grc_key_set *set, bool json, int64_t now_ms);
