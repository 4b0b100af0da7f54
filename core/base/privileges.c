#include "base/privileges.h"

#include "base/format.h"
#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* All members are written before there are threads, except `lowered`, which becomes false while the
 * first threads start. A thread that finds it false is no longer root: it was dropped together with
 * all others, or was started by a thread that was. */
static struct {
    atomic_bool lowered;
    bool core_dumps;
    uid_t user;
    gid_t group;
} state;

static bool find_ids(const char *user, const char *group, char **ret_reason)
{
    const struct passwd *passwd = getpwnam(user);

    if (!passwd)
        return grc_refuse(ret_reason, "server.user: there is no user '%s'", user);
    state.user = passwd->pw_uid;
    state.group = passwd->pw_gid;
    if (!group)
        return true;
    const struct group *entry = getgrnam(group);
    if (!entry)
        return grc_refuse(ret_reason, "server.group: there is no group '%s'", group);
    state.group = entry->gr_gid;
    return true;
}

/* Makes the directory as root and gives it to the user. An existing directory stays as it is. */
static bool make_directory(const char *path, char **ret_reason)
{
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ||
               grc_refuse(ret_reason, "state_directory: %s: %s", path, strerror(errno));
    if (chown(path, state.user, state.group) != 0)
        return grc_refuse(ret_reason, "state_directory: %s: %s", path, strerror(errno));
    return true;
}

bool grc_privileges_lower(const char *user, const char *group, const char *make_dir,
                          char **ret_reason)
{
    if (!user)
        return true;
    if (!find_ids(user, group, ret_reason))
        return false;
    if (geteuid() != 0) {
        if (getuid() == state.user)
            return true; /* the process was started as that user, by a service manager perhaps */
        return grc_refuse(ret_reason, "server.user: only root can become '%s'", user);
    }
    if (state.user == 0)
        return grc_refuse(ret_reason, "server.user: '%s' is root", user);
    if (make_dir && !make_directory(make_dir, ret_reason))
        return false;
    if (initgroups(user, state.group) != 0 ||
        setresgid(state.group, state.group, state.group) != 0 ||
        setresuid((uid_t)-1, state.user, (uid_t)-1) != 0)
        return grc_refuse(ret_reason, "server.user: cannot become '%s': %s", user, strerror(errno));
    state.lowered = true;
    return true;
}

/* The C library's setresuid() changes all threads; the system call changes the calling thread
 * alone. */
void grc_privileges_raise_here(void)
{
    if (state.lowered && syscall(SYS_setresuid, -1, 0, -1) != 0)
        grc_warn("root cannot be regained for low ports: %s", strerror(errno));
}

void grc_privileges_thread(void)
{
    if (state.lowered && syscall(SYS_setresuid, state.user, state.user, state.user) != 0)
        abort(); /* no thread may go on to serve as root */
}

static bool is_dropped(void)
{
    uid_t user[3];
    gid_t group[3];

    if (getresuid(&user[0], &user[1], &user[2]) != 0 ||
        getresgid(&group[0], &group[1], &group[2]) != 0)
        return false;
    for (int i = 0; i < 3; i++) {
        if (user[i] != state.user || group[i] != state.group)
            return false;
    }
    return setresuid((uid_t)-1, 0, (uid_t)-1) != 0 && setuid(0) != 0;
}

bool grc_privileges_drop(char **ret_reason)
{
    if (!state.lowered)
        return true;
    if (setresuid(state.user, state.user, state.user) != 0)
        return grc_refuse(ret_reason, "server.user: root cannot be given up: %s", strerror(errno));
    if (!is_dropped())
        return grc_refuse(ret_reason, "server.user: root was not given up for good");
    state.lowered = false;
    grc_privileges_harden(state.core_dumps); /* the change of user has reset PR_SET_DUMPABLE */
    return true;
}

bool grc_privileges_settle(char **ret_reason)
{
    uid_t user[3];

    if (getresuid(&user[0], &user[1], &user[2]) != 0)
        return grc_refuse(ret_reason, "the user of this process cannot be read: %s",
                          strerror(errno));
    if (user[0] == user[1] && user[1] == user[2])
        return true;
    if (setresuid(user[1], user[1], user[1]) != 0)
        return grc_refuse(ret_reason, "the rights of user %ld cannot be given up: %s",
                          (long)user[0], strerror(errno));
    return true;
}

void grc_privileges_raise_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        grc_warn("the limit of open files stays at %llu", (unsigned long long)files.rlim_cur);
}

void grc_privileges_harden(bool core_dumps)
{
    const struct rlimit none = {0, 0};

    state.core_dumps = core_dumps;
    grc_privileges_raise_files();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        grc_warn("PR_SET_NO_NEW_PRIVS cannot be set: %s", strerror(errno));
    if (prctl(PR_SET_DUMPABLE, core_dumps ? 1 : 0, 0, 0, 0) != 0)
        grc_warn("debuggers cannot be kept out: %s", strerror(errno));
    if (!core_dumps && setrlimit(RLIMIT_CORE, &none) != 0)
        grc_warn("core dumps cannot be turned off: %s", strerror(errno));
}
