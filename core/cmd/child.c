#include "cmd/child.h"

#include "cmd/cmd.h"
#include "server/admin_socket.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_TIMEOUT_MS 20000
#define STEP_MS 20

/* In the child process: executes this program with that config, and does not return. The kernel
 * ends it when its parent, whose id is given, ends in any way. */
static void become(const char *config, int log, pid_t parent)
{
    sigset_t none;

    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
        _exit(GRC_EXIT_FAILED); /* the parent has ended before */
    if (log < 0 || dup2(log, STDERR_FILENO) >= 0)
        execl("/proc/self/exe", "greenroom", "-c", config, (char *)NULL);
    _exit(GRC_EXIT_FAILED);
}

bool grc_child_start(struct grc_child *child, const char *config, const char *state, int log)
{
    *child = (struct grc_child){.pid = 0};
    fflush(stdout);
    if (setenv("STATE_DIRECTORY", state, 1) == 0) {
        pid_t parent = getpid();
        pid_t pid = fork();

        if (pid == 0)
            become(config, log, parent);
        child->pid = pid > 0 ? pid : 0;
    }
    if (child->pid == 0)
        grc_complain("cannot start a gateway: %s", strerror(errno));
    return child->pid != 0;
}

bool grc_child_ended(struct grc_child *child)
{
    if (child->pid == 0 || waitpid(child->pid, &child->status, WNOHANG) == 0)
        return false;
    child->pid = 0;
    return true;
}

int grc_child_exit_status(const struct grc_child *child)
{
    bool told = child->pid == 0 && WIFEXITED(child->status) && WEXITSTATUS(child->status) != 0;

    return told ? WEXITSTATUS(child->status) : GRC_EXIT_FAILED;
}

bool grc_child_ends(struct grc_child *child, int timeout_ms)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};

    for (int waited = 0; child->pid != 0 && !grc_child_ended(child) && waited < timeout_ms;
         waited += STEP_MS)
        nanosleep(&step, NULL);
    return child->pid == 0;
}

bool grc_child_wait_ready(struct grc_child *child, const char *config, char *ret_url, size_t size)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    struct grc_settings *settings = grc_settings_peek(config);
    json_t *status = NULL;

    /* With a config that cannot be read it ends by itself. */
    for (int waited = 0; !status && waited < READY_TIMEOUT_MS; waited += STEP_MS) {
        char *reason = NULL;

        if (settings)
            status = grc_admin_socket_ask(settings, "status", NULL, &reason);
        free(reason);
        if (!status && grc_child_ended(child))
            break;
        if (!status)
            nanosleep(&step, NULL);
    }
    grc_settings_free(settings);
    const char *url = json_string_value(json_array_get(json_object_get(status, "listen"), 0));
    snprintf(ret_url, size, "%s", url ? url : "");
    json_decref(status);
    return url != NULL;
}

void grc_child_stop(struct grc_child *child)
{
    if (child->pid == 0)
        return;
    kill(child->pid, SIGTERM);
    waitpid(child->pid, &child->status, 0);
    child->pid = 0;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

void grc_tree_remove(const char *path)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        grc_complain("%s: %s", path, strerror(errno));
}
