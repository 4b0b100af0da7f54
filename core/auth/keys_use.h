/* Shared by the files behind keys.h. For core/auth only. */
#pragma once

#include "auth/keys.h"

#define GRC_KEYS_FILE_MAX (8u << 20)
#define GRC_KEYS_MAX 20000u
/* The times of last use are in a second file, which may be lost without harm. */
#define GRC_KEYS_USE_SUFFIX ".used"
#define GRC_KEYS_LOCK_SUFFIX ".lock"
#define GRC_KEYS_USE_EVERY_MS 60000

/* Writes the latest times of last use, with those that other gateways on the same file have
 * written. Returns false with errno set. */
bool grc_key_set_write_use(struct grc_key_set *set, const char *path);
/* Returns a malloc'ed path with the suffix; NULL without memory. */
char *grc_keys_beside(const char *path, const char *suffix);
