/* Files with keys. */
#pragma once

#include <greenroom/plugin.h>

/* Reads a key file of at most 16 KiB. Returns malloc'ed bytes, which the caller wipes and frees;
 * NULL with errno when the file cannot be read, is empty or too large (EFBIG). */
char *mini_key_file_read(const char *path, size_t *ret_len);
