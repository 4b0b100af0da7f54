#include "key_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_FILE_MAX 16384

char *mini_key_file_read(const char *path, size_t *ret_len)
{
    char *bytes = malloc(KEY_FILE_MAX + 1);
    FILE *file = bytes ? fopen(path, "rbe") : NULL;
    int error = errno;
    size_t len = 0;

    if (file) {
        len = fread(bytes, 1, KEY_FILE_MAX + 1, file);
        error = ferror(file) ? errno : len > KEY_FILE_MAX ? EFBIG : len == 0 ? ENODATA : 0;
        (void)fclose(file);
    }
    if (!file || error) {
        free(bytes);
        errno = error;
        return NULL;
    }
    *ret_len = len;
    return bytes;
}
