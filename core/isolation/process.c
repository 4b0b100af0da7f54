#include "isolation/process.h"

#include "base/secure.h"
#include "config/handover.h"
#include "plugin/module.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONFIG_MAX_BYTES ((size_t)64 * 1024 * 1024)
/* The first number above the descriptors that the process expects. */
#define FREE_FD (GRC_HANDOVER_LIBRARY_FD + 1)
#define VARIABLES_MAX 32u

extern char **environ;

/* --- what it is given --- */

static int sealed_memory(gr_str bytes)
{
    int fd = memfd_create("greenroom:config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t done = 0;

    while (fd >= 0 && done < bytes.len) {
        ssize_t put = write(fd, bytes.ptr + done, bytes.len - done);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            break;
        done += (size_t)put;
    }
    if (fd >= 0 &&
        (done < bytes.len ||
         fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int grc_process_config(const struct grc_plugin *plugin)
{
    const struct grc_settings *settings = plugin->runtime->settings;
    struct grc_buf bytes;
    int fd = -1;

    grc_buf_init(&bytes, CONFIG_MAX_BYTES);
    errno = ENOMEM;
    if (grc_handover_write(settings->handover, settings->dir, plugin->settings->name, &bytes) ==
        GR_OK)
        fd = sealed_memory(grc_buf_view(&bytes));
    if (bytes.ptr)
        grc_wipe(bytes.ptr, bytes.len);
    grc_buf_done(&bytes);
    return fd;
}

/* Variables that change how programs behave and where they find files, and hold no secrets. */
static bool may_see(const char *variable)
{
    static const char *const names[] = {
        "PATH=",         "HOME=",          "LANG=",          "LC_ALL=",
        "TZ=",           "TMPDIR=",        "SSL_CERT_FILE=", "SSL_CERT_DIR=",
        "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=",  "LSAN_OPTIONS="};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

static void pick_variables(char *ret_variables[VARIABLES_MAX])
{
    size_t count = 0;

    for (char **at = environ; *at && count + 1 < VARIABLES_MAX; at++) {
        if (may_see(*at))
            ret_variables[count++] = *at;
    }
    ret_variables[count] = NULL;
}

/* --- starting --- */

/* Copies the descriptors for the process to numbers at which none overwrites another. */
struct handed {
    int fds[3];
};

static void close_all(struct handed *handed)
{
    for (size_t i = 0; i < 3; i++) {
        if (handed->fds[i] >= 0)
            close(handed->fds[i]);
    }
}

static bool copy_all(struct handed *ret_handed, int socket, int config, int library)
{
    const int from[3] = {socket, config, library};
    bool fine = true;

    for (size_t i = 0; i < 3; i++) {
        ret_handed->fds[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FREE_FD);
        fine = fine && ret_handed->fds[i] >= 0;
    }
    return fine;
}

static int spawn(const struct grc_plugin *plugin, const struct handed *handed, pid_t *ret_pid)
{
    static const int places[3] = {GRC_HANDOVER_CALLS_FD, GRC_HANDOVER_CONFIG_FD,
                                  GRC_HANDOVER_LIBRARY_FD};
    static char program[] = "greenroom";
    static char command[] = GRC_ISOLATED_COMMAND;
    char *arguments[] = {program, command, (char *)(uintptr_t)plugin->settings->name, NULL};
    char *variables[VARIABLES_MAX];
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);

    if (error)
        return error;
    pick_variables(variables);
    for (size_t i = 0; i < 3 && !error; i++)
        error = posix_spawn_file_actions_adddup2(&actions, handed->fds[i], places[i]);
    if (!error)
        error = posix_spawn_file_actions_addclosefrom_np(&actions, FREE_FD);
    if (!error)
        error = posix_spawn(ret_pid, "/proc/self/exe", &actions, NULL, arguments, variables);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

bool grc_process_start(const struct grc_plugin *plugin, int config, struct grc_process *ret_process)
{
    struct grc_process process = {.watch = -1, .socket = -1};
    struct handed handed;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    int error = ENFILE;
    if (copy_all(&handed, ends[1], config, grc_module_fd(plugin->module)) &&
        fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        error = spawn(plugin, &handed, &process.pid);
    close_all(&handed);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        errno = error;
        return false;
    }
    process.socket = ends[0];
    process.watch = (int)syscall(SYS_pidfd_open, process.pid, 0);
    *ret_process = process;
    return true;
}

int grc_process_end(struct grc_process *process)
{
    int status = 0;

    (void)kill(process->pid, SIGKILL); /* not waited for yet, so the number is still its own */
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(process->socket);
    if (process->watch >= 0)
        close(process->watch);
    *process = (struct grc_process){.watch = -1, .socket = -1};
    return status;
}
