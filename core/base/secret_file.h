/* A secret that is made once and kept in a file. */
#pragma once

#include <stdbool.h>

/*
 * Reads the secret in the file at path, without the line end behind it. When there is no such file,
 * its directory (mode 0700) and the file (mode 0600) are made, with 64 random hex digits. When
 * several processes do so at the same time, one file wins and all of them read that one whole.
 * Refuses a file that is not regular, that users other than its owner can read or write, that is
 * empty or larger than 16 KiB. Returns malloc'ed text, to be released with grc_wipe_free(), and in
 * *ret_made whether it was made just now; NULL with a reason (static or errno's text) in
 * ret_reason.
 */
char *grc_secret_file(const char *path, bool *ret_made, const char **ret_reason);
