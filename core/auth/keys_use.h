/* Inside core/auth only: what the parts of the API keys share. See keys.h for their face. */
#pragma once

#include "auth/keys.h"

#define GRC_KEYS_FILE_MAX (8u << 20)
#define GRC_KEYS_MAX 20000u
/* The times of last use are beside the file of keys, in one that may get lost. */
#define GRC_KEYS_USE_SUFFIX ".used"
#define GRC_KEYS_LOCK_SUFFIX ".lock"
#define GRC_KEYS_USE_EVERY_MS 60000

/* Writes the newest times of last use, those of other gateways on the same file included. false
 * with errno set. */
bool grc_key_set_write_use(struct grc_key_set *set, const char *path);
/* malloc'ed path with a suffix. */
char *grc_keys_beside(const char *path, const char *suffix);
/* Gives a file that root wrote to the owner of the directory's, so that the gateway can read it. */
void grc_keys_hand_over(const char *path);
