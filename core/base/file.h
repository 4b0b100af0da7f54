/* Small files, read and written as a whole; paths and directories. */
#pragma once

#include <greenroom/plugin.h>

#include <stddef.h>

/* Reads a regular file of at most max_bytes. Returns a malloc'ed, NUL-terminated text, or NULL with
 * a reason in ret_reason (the text of errno, "larger than allowed", "not a regular file"). */
char *grc_file_read(const char *path, size_t max_bytes, size_t *ret_len, const char **ret_reason);
/* Replaces a file at once: writes a temporary file beside path with this mode, syncs it and renames
 * it. As root, gives it to the owner of its directory. Returns false with errno set. */
bool grc_file_write(const char *path, gr_str content, unsigned mode);
/* As root, gives an open file that is new to the owner of its directory: what a command makes in
 * the state directory is for the gateway, which has a user of its own. A failure is logged. */
void grc_file_hand_over(int fd, const char *path);
/* Returns a malloc'ed "dir/name"; NULL without memory. */
char *grc_path_join(const char *dir, const char *name);
/* Makes a directory that only its owner can enter, and the directories missing above it, which
 * other users can enter too. Returns true also when it exists; false with errno set. */
bool grc_directory_make(const char *path);
