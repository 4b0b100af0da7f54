/* Reads the file of a plugin into sealed memory. */
#include "base/format.h"
#include "plugin/module.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static enum grc_module_state refuse(char **ret_reason, enum grc_module_state state,
                                    const char *format, ...) __attribute__((format(printf, 3, 4)));
static enum grc_module_state refuse(char **ret_reason, enum grc_module_state state,
                                    const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *ret_reason = grc_format_args(format, args);
    va_end(args);
    return state;
}

/* Another user who owns the file, or a group that can write it, decides what code runs here. Either
 * may be intended, so the file is loaded, with a warning. */
static void warn_of_others(const char *file, const struct stat *info)
{
    if (info->st_uid != 0 && info->st_uid != geteuid())
        grc_warn("%s: owner: found user %u, wanted root or the user that the gateway runs as", file,
                 (unsigned)info->st_uid);
    if ((info->st_mode & S_IWGRP) && info->st_gid != 0 && info->st_gid != getegid())
        grc_warn("%s: mode: found %04o, wanted a file that group %u cannot write", file,
                 info->st_mode & 07777u, (unsigned)info->st_gid);
}

/* Code is run as Greenroom, so files that other users can write are not loaded. */
static enum grc_module_state check_file(const char *file, int fd, struct stat *ret_info,
                                        char **ret_reason)
{
    if (fd < 0 || fstat(fd, ret_info) != 0)
        return refuse(ret_reason, GRC_MODULE_NOT_FOUND, "%s: %s", file, strerror(errno));
    if (!S_ISREG(ret_info->st_mode))
        return refuse(ret_reason, GRC_MODULE_NOT_FOUND, "%s: not a regular file", file);
    if (ret_info->st_mode & S_IWOTH)
        return refuse(ret_reason, GRC_MODULE_UNSAFE,
                      "%s: mode: found %04o, wanted a file that others cannot write", file,
                      ret_info->st_mode & 07777u);
    if (ret_info->st_size < 0 || (uintmax_t)ret_info->st_size > FILE_BYTES_MAX)
        return refuse(ret_reason, GRC_MODULE_FILE, "%s: size: wanted at most %zu bytes", file,
                      FILE_BYTES_MAX);
    warn_of_others(file, ret_info);
    return GRC_MODULE_OK;
}

/* Kernels before 6.3 do not know MFD_EXEC; later ones may require it. */
static int make_memory(const char *file)
{
    const char *slash = strrchr(file, '/');
    char name[128];

    snprintf(name, sizeof(name), "greenroom:%s", slash ? slash + 1 : file);
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd;
}

/* Copies size bytes. Returns false with errno, which is 0 when the file ended early. */
static bool copy_bytes(int from, int to, size_t size)
{
    char block[16384];
    size_t done = 0;

    while (done < size) {
        size_t want = size - done < sizeof(block) ? size - done : sizeof(block);
        ssize_t got = read(from, block, want);

        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = 0;
        if (got <= 0)
            return false;
        for (ssize_t put = 0; put < got;) {
            ssize_t count = write(to, block + put, (size_t)(got - put));

            if (count < 0 && errno != EINTR)
                return false;
            put += count > 0 ? count : 0;
        }
        done += (size_t)got;
    }
    return true;
}

static enum grc_module_state map_bytes(const char *file, struct grc_image *image, char **ret_reason)
{
    void *bytes =
        image->size ? mmap(NULL, image->size, PROT_READ, MAP_PRIVATE, image->fd, 0) : NULL;
    if (bytes == MAP_FAILED)
        return refuse(ret_reason, GRC_MODULE_DLOPEN, "%s: %s", file, strerror(errno));
    image->bytes = bytes;
    return GRC_MODULE_OK;
}

static enum grc_module_state read_bytes(const char *file, int from, struct grc_image *image,
                                        char **ret_reason)
{
    image->fd = make_memory(file);
    if (image->fd < 0)
        return refuse(ret_reason, GRC_MODULE_DLOPEN, "%s: no memory for its copy: %s", file,
                      strerror(errno));
    if (!copy_bytes(from, image->fd, image->size))
        return refuse(ret_reason, GRC_MODULE_NOT_FOUND, "%s: %s", file,
                      errno ? strerror(errno) : "it became shorter while it was read");
    if (fcntl(image->fd, F_ADD_SEALS, SEALS) != 0)
        return refuse(ret_reason, GRC_MODULE_DLOPEN, "%s: its copy cannot be sealed: %s", file,
                      strerror(errno));
    return map_bytes(file, image, ret_reason);
}

static enum grc_module_state judge(const char *file, struct grc_image *image, char **ret_reason)
{
    char *reason = NULL;
    enum grc_elf_verdict verdict = grc_elf_read(image->bytes, image->size, &image->elf, &reason);

    if (verdict == GRC_ELF_OK)
        return GRC_MODULE_OK;
    enum grc_module_state state =
        refuse(ret_reason, verdict == GRC_ELF_NO_ENTRY ? GRC_MODULE_NO_ENTRY : GRC_MODULE_FILE,
               "%s: %s", file, reason ? reason : "out of memory");
    free(reason);
    return state;
}

/* Judges what was read and hands it over, or drops it. */
static enum grc_module_state finish(enum grc_module_state state, const char *file,
                                    struct grc_image *image, struct grc_image *ret_image,
                                    char **ret_reason)
{
    if (state == GRC_MODULE_OK)
        state = judge(file, image, ret_reason);
    if (state == GRC_MODULE_OK)
        *ret_image = *image;
    else
        grc_image_done(image);
    return state;
}

enum grc_module_state grc_image_read(const char *file, struct grc_image *ret_image,
                                     char **ret_reason)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct grc_image image = {.fd = -1};
    struct stat info;
    enum grc_module_state state = check_file(file, fd, &info, ret_reason);

    if (state == GRC_MODULE_OK) {
        image.size = (size_t)info.st_size;
        state = read_bytes(file, fd, &image, ret_reason);
    }
    if (fd >= 0)
        close(fd);
    return finish(state, file, &image, ret_image, ret_reason);
}

enum grc_module_state grc_image_take(const char *file, int fd, struct grc_image *ret_image,
                                     char **ret_reason)
{
    struct grc_image image = {.fd = fd};
    enum grc_module_state state = GRC_MODULE_OK;
    struct stat info;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &info) != 0)
        state = refuse(ret_reason, GRC_MODULE_UNSAFE, "%s: descriptor %d: wanted sealed memory",
                       file, fd);
    if (state == GRC_MODULE_OK) {
        image.size = (size_t)info.st_size;
        state = map_bytes(file, &image, ret_reason);
    }
    return finish(state, file, &image, ret_image, ret_reason);
}

void grc_image_done(struct grc_image *image)
{
    if (image->bytes)
        munmap((void *)(uintptr_t)image->bytes, image->size);
    if (image->fd >= 0)
        close(image->fd);
    *image = (struct grc_image){.fd = -1};
}
