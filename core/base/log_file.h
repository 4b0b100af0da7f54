/*
 * The log in a file instead of on standard error. All of this is for one thread, the one that
 * starts, reloads and stops; other threads may log at any time.
 */
#pragma once

/* Opens the file for appending, and makes it (mode 0640) if it is not there. Returns a descriptor,
 * or -1 with errno. */
int grc_log_file_open(const char *path);
/* From now on lines go there; the descriptor, which is -1 for standard error, becomes the log's. A
 * line that is being written goes to the one or to the other, whole. */
void grc_log_file_use(int fd);
