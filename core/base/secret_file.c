#include "base/secret_file.h"

#include "base/file.h"
#include "base/secure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_BYTES 32
#define FILE_BYTES_MAX 16384

/* Checks the file before it is read: what other users can read is no secret. */
static bool is_private(const char *path, const char **ret_reason)
{
    struct stat info;

    if (lstat(path, &info) != 0)
        *ret_reason = strerror(errno);
    else if (!S_ISREG(info.st_mode))
        *ret_reason = "not a regular file";
    else if (info.st_mode & 077)
        *ret_reason = "users other than its owner can read it; expected mode 0600";
    else
        return true;
    return false;
}

static char *read_secret(const char *path, const char **ret_reason)
{
    size_t len = 0;
    char *text = NULL;

    if (is_private(path, ret_reason))
        text = grc_file_read(path, FILE_BYTES_MAX, &len, ret_reason);
    while (text && len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        text[--len] = '\0';
    if (text && (len == 0 || strlen(text) != len)) {
        *ret_reason = len == 0 ? "it is empty" : "it holds a NUL byte";
        grc_wipe_free(text);
        text = NULL;
    }
    return text;
}

/* Makes the directory of a path, but none above it. */
static void make_dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash && slash != path ? strndup(path, (size_t)(slash - path)) : NULL;

    if (dir)
        (void)mkdir(dir, 0700); /* on failure, opening the file gives the reason */
    free(dir);
}

static bool fill(int fd)
{
    unsigned char bytes[SECRET_BYTES];
    char text[2 * SECRET_BYTES + 1];

    grc_random(bytes, sizeof(bytes));
    grc_hex(bytes, sizeof(bytes), text);
    text[sizeof(text) - 1] = '\n';
    ssize_t put = write(fd, text, sizeof(text));
    grc_wipe(bytes, sizeof(bytes));
    grc_wipe(text, sizeof(text));
    if (put >= 0 && put != (ssize_t)sizeof(text))
        errno = ENOSPC;
    return put == (ssize_t)sizeof(text) && fsync(fd) == 0;
}

/* Makes a new secret at path, unless another process was faster: then its secret is used. */
static bool make_secret(const char *path, bool *ret_made)
{
    size_t size = strlen(path) + sizeof(".XXXXXX");
    char *temporary = malloc(size);

    if (!temporary)
        return false;
    snprintf(temporary, size, "%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    bool ok = fd >= 0 && fill(fd);
    int reason = errno;
    if (ok)
        grc_file_hand_over(fd, path);
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        reason = errno;
    }
    /* link() fails when path exists, where rename() would replace it. */
    if (ok && link(temporary, path) != 0) {
        reason = errno;
        ok = reason == EEXIST;
    } else if (ok) {
        *ret_made = true;
    }
    if (fd >= 0)
        (void)unlink(temporary);
    free(temporary);
    errno = reason;
    return ok;
}

char *grc_secret_file(const char *path, bool *ret_made, const char **ret_reason)
{
    *ret_made = false;
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        make_dir_of(path);
        if (!make_secret(path, ret_made)) {
            *ret_reason = strerror(errno);
            return NULL;
        }
    }
    return read_secret(path, ret_reason);
}
