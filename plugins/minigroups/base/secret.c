#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECRET_BYTES 32
#define KEY_FILE_MAX 16384

bool mini_read_file(const char *path, gr_str *ret_bytes)
{
    FILE *file = fopen(path, "rbe");
    char *bytes = malloc(KEY_FILE_MAX);
    size_t len = 0;

    if (file && bytes)
        len = fread(bytes, 1, KEY_FILE_MAX, file);
    bool good = file && bytes && !ferror(file) && len > 0 && len < KEY_FILE_MAX;
    if (file)
        (void)fclose(file);
    if (!good) {
        free(bytes);
        return false;
    }
    *ret_bytes = (gr_str){bytes, len};
    return true;
}

/* Makes a secret of hex digits in a new file; false when the file cannot be written. */
static bool create_secret(struct gr_self *self, const char *path)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[SECRET_BYTES];
    char text[2 * SECRET_BYTES];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno == EEXIST; /* another gateway was faster */
    gr_random(self->host, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    bool good = write(fd, text, sizeof(text)) == (ssize_t)sizeof(text) && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    gr_wipe(self->host, bytes, sizeof(bytes));
    gr_wipe(self->host, text, sizeof(text));
    if (good)
        gr_log_self(self, GR_LOG_INFO, "made a new secret in '%s'", path);
    return good;
}

/* The place of the secret's file, malloc'ed: what the option says, below the state directory. */
static char *secret_place(struct gr_self *self, const char *name)
{
    const char *dir = gr_state_dir(self);
    char *path;

    if (name[0] == '/')
        return strdup(name);
    return asprintf(&path, "%s/%s", dir ? dir : ".", name) < 0 ? NULL : path;
}

gr_str mini_secret_load(struct gr_self *self, const char *text, const char *file)
{
    gr_str secret = {NULL, 0};

    if (text && *text)
        return gr_str_of(strdup(text));
    char *path = secret_place(self, file);
    if (!path)
        return secret;
    if (access(path, F_OK) != 0 && !create_secret(self, path))
        gr_log_self(self, GR_LOG_ERROR, "cannot write secret_file '%s'", path);
    else if (!mini_read_file(path, &secret))
        gr_log_self(self, GR_LOG_ERROR, "cannot read secret_file '%s'", path);
    while (secret.len && (secret.ptr[secret.len - 1] == '\n' || secret.ptr[secret.len - 1] == '\r'))
        secret.len--;
    free(path);
    return secret;
}

void mini_secret_free(struct gr_self *self, gr_str secret)
{
    char *bytes;

    memcpy(&bytes, &secret.ptr, sizeof(bytes));
    if (bytes)
        gr_wipe(self->host, bytes, secret.len);
    free(bytes);
}
