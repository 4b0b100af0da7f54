#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/*
 * A file that is opened later must not become one of the standard descriptors: what is meant for a
 * terminal would be written into it. Where one was closed, something takes its place from which
 * nothing can be read, or to which nothing can be written, so that lost output is an error; what is
 * said on standard error has no one to be told to, and is dropped.
 */
static void occupy_standard_descriptors(void)
{
    static const int flags[] = {O_WRONLY, O_RDONLY, O_WRONLY};

    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        if (open("/dev/null", flags[fd]) != fd)
            abort(); /* nothing can be said, and nothing can be done safely */
    }
}

int main(int argc, char **argv)
{
    occupy_standard_descriptors();
    return grc_cli_main(argc, argv);
}
