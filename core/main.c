#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>

/*
 * Opens closed standard descriptors, so that a file that is opened later cannot become one of them
 * and get output that is meant for the terminal. Standard input and output get the wrong mode, so
 * that reading and writing them fails; output to standard error is dropped.
 */
static void occupy_standard_descriptors(void)
{
    static const int flags[] = {O_WRONLY, O_RDONLY, O_WRONLY};

    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        if (open("/dev/null", flags[fd]) != fd)
            abort(); /* no message can be printed, and it is not safe to go on */
    }
}

int main(int argc, char **argv)
{
    occupy_standard_descriptors();
    /* One that was started by its own program, as /proc/self/exe, would be called "exe". */
    prctl(PR_SET_NAME, "greenroom");
    return grc_cli_main(argc, argv);
}
