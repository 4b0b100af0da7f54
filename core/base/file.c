#include "base/file.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int fd, char *text, size_t size, size_t *ret_len)
{
    size_t len = 0;

    while (len < size) {
        ssize_t got = read(fd, text + len, size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    text[len] = '\0';
    *ret_len = len;
    return true;
}

char *grc_file_read(const char *path, size_t max_bytes, size_t *ret_len, const char **ret_reason)
{
    struct stat info;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &info) != 0) {
        *ret_reason = strerror(errno);
    } else if (!S_ISREG(info.st_mode)) {
        *ret_reason = "not a regular file";
    } else if (info.st_size < 0 || (uintmax_t)info.st_size > max_bytes) {
        *ret_reason = "larger than allowed";
    } else {
        text = malloc((size_t)info.st_size + 1);
        if (!text || !read_all(fd, text, (size_t)info.st_size, ret_len)) {
            *ret_reason = text ? strerror(errno) : "out of memory";
            free(text);
            text = NULL;
        }
    }
    if (fd >= 0)
        close(fd);
    return text;
}

static bool write_all(int fd, gr_str content)
{
    size_t done = 0;

    while (done < content.len) {
        ssize_t put = write(fd, content.ptr + done, content.len - done);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

void grc_file_hand_over(int fd, const char *path)
{
    char *copy = geteuid() == 0 ? strdup(path) : NULL;
    struct stat file;
    struct stat dir;

    /* A file with a second name may be one that the owner of the directory must not have. */
    if (copy && fstat(fd, &file) == 0 && file.st_nlink == 1 && stat(dirname(copy), &dir) == 0 &&
        dir.st_uid != 0 && fchown(fd, dir.st_uid, dir.st_gid) != 0)
        grc_warn("'%s' cannot be given to the owner of its directory: %s", path, strerror(errno));
    free(copy);
}

bool grc_file_write(const char *path, gr_str content, unsigned mode)
{
    size_t size = strlen(path) + sizeof(".XXXXXX");
    char *temporary = malloc(size);

    if (!temporary)
        return false;
    snprintf(temporary, size, "%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    bool ok = fd >= 0 && fchmod(fd, (mode_t)mode) == 0 && write_all(fd, content) && fsync(fd) == 0;
    int saved = errno;
    if (ok)
        grc_file_hand_over(fd, path);
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        saved = errno;
    }
    if (ok && rename(temporary, path) != 0) {
        ok = false;
        saved = errno;
    }
    if (!ok && fd >= 0)
        unlink(temporary);
    free(temporary);
    errno = saved;
    return ok;
}

char *grc_path_join(const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = malloc(size);

    if (path)
        snprintf(path, size, "%s/%s", dir, name);
    return path;
}

static bool make_one(const char *path, mode_t mode)
{
    return mkdir(path, mode) == 0 || errno == EEXIST;
}

bool grc_directory_make(const char *path)
{
    char *above = strdup(path);
    bool made = above != NULL;

    for (char *slash = made ? strchr(above + 1, '/') : NULL; slash && made;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        made = make_one(above, 0755);
        *slash = '/';
    }
    free(above);
    return made && make_one(path, 0700);
}
