#include "base/log_file.h"

#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

/* A thread may still be writing to an earlier log file. So its descriptor is never closed; the next
 * file gets the same number. -1 before the first one. */
static int file_fd = -1;

int grc_log_file_open(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
}

void grc_log_file_use(int fd)
{
    if (fd < 0) {
        grc_log_fd_set(STDERR_FILENO);
        return;
    }
    if (file_fd < 0) {
        file_fd = fd;
    } else {
        while (dup3(fd, file_fd, O_CLOEXEC) < 0) /* it fails only where it may be tried again */
            continue;
        close(fd);
    }
    grc_log_fd_set(file_fd);
}
