/* Small files, read whole. */
#pragma once

#include <greenroom/plugin.h>

#include <stddef.h>

/* Reads a regular file of at most max_bytes. Returns a malloc'ed, NUL-terminated text, or NULL with
 * a reason in ret_reason (errno text or "larger than …", "not a regular file"). */
char *grc_file_read(const char *path, size_t max_bytes, size_t *ret_len, const char **ret_reason);
/* Writes a temporary file beside path, syncs it, renames it. false with errno set. mode as chmod.
 */
bool grc_file_write(const char *path, gr_str content, unsigned mode);
/* malloc'ed "dir/name"; NULL without memory. */
char *grc_path_join(const char *dir, const char *name);
/* Makes a directory that only its owner can enter, and what is missing above it, which others can.
 * true also when it is there. false with errno set. */
bool grc_directory_make(const char *path);
