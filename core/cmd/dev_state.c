#include "cmd/dev_state.h"

#include "base/format.h"
#include "cmd/child.h"
#include "cmd/cmd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE "/tmp"
#define PREFIX "greenroom-dev-"
#define LOCK "dev.lock"
#define TRIES 8

/* --- what ended runs have left --- */

/* Whether only this user can change what the directory contains, and where the name leads. */
static bool is_own(int place, int dir)
{
    struct stat info;
    struct stat above;

    if (fstat(place, &above) != 0 || fstat(dir, &info) != 0)
        return false;
    bool fixed = (above.st_mode & S_ISVTX) != 0 || (above.st_mode & (S_IWGRP | S_IWOTH)) == 0;
    return fixed && info.st_uid == geteuid() && (info.st_mode & 0777) == 0700;
}

/* Takes the lock of a directory, unless a process has it. Returns -1 for a directory that is in
 * use, or is not one of these. */
static int take_lock(int place, const char *name)
{
    int dir = openat(place, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int lock = -1;

    if (dir >= 0 && is_own(place, dir))
        lock = openat(dir, LOCK, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (dir >= 0)
        close(dir);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0) {
        close(lock);
        return -1;
    }
    return lock;
}

static void sweep(void)
{
    DIR *place = opendir(PLACE);
    const struct dirent *entry;

    while (place && (entry = readdir(place))) {
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
            continue;
        int lock = take_lock(dirfd(place), entry->d_name);
        char *path = lock >= 0 ? grc_format(PLACE "/%s", entry->d_name) : NULL;

        if (path)
            grc_tree_remove(path);
        free(path);
        if (lock >= 0)
            close(lock);
    }
    if (place)
        closedir(place);
}

/* --- the own one --- */

/* Returns -1 when the file cannot be made, or when another process that sweeps was faster, with
 * *ret_lost set: then the directory is gone, or will be. */
static int make_lock(const char *dir, bool *ret_lost)
{
    char *path = grc_format("%s/" LOCK, dir);
    int lock = path ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    struct stat info;

    free(path);
    *ret_lost = lock >= 0 && (flock(lock, LOCK_EX | LOCK_NB) != 0 || fstat(lock, &info) != 0 ||
                              info.st_nlink == 0);
    if (!*ret_lost)
        return lock;
    close(lock);
    return -1;
}

bool grc_dev_state_make(struct grc_dev_state *ret_state)
{
    bool lost = true;

    sweep();
    for (int i = 0; lost && i < TRIES; i++) {
        *ret_state = (struct grc_dev_state){.path = GRC_DEV_STATE_PATTERN, .lock = -1};
        if (!mkdtemp(ret_state->path))
            break;
        ret_state->lock = make_lock(ret_state->path, &lost);
        if (ret_state->lock >= 0)
            return true;
        if (!lost)
            grc_tree_remove(ret_state->path);
    }
    grc_complain("%s: %s", PLACE, strerror(errno));
    return false;
}

void grc_dev_state_remove(struct grc_dev_state *state)
{
    grc_tree_remove(state->path);
    close(state->lock);
}
