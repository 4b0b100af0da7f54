/* The state document as a whole: lock, replacement, and state file. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void sb_enter(struct sandbox *sb)
{
    pthread_mutex_lock(&sb->lock);
    sb->failed = false;
    sb_tick(sb);
}

bool sb_leave(struct sandbox *sb)
{
    bool failed = sb->failed;

    pthread_mutex_unlock(&sb->lock);
    return !failed;
}

bool sb_adopt(struct sandbox *sb, json_t *stolen)
{
    if (!stolen)
        return false;
    json_decref(sb->root);
    sb->root = stolen;
    sb->change++;
    sb->offset_ms = sb_int(json_object_get(stolen, "meta"), "offset_ms");
    sb->now_ms = sb_clock(sb);
    sb_clock_restore(sb);
    return !sb->failed;
}

static bool write_all(int fd, const char *text, size_t length)
{
    while (length) {
        ssize_t written = write(fd, text, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        text += written;
        length -= (size_t)written;
    }
    return fsync(fd) == 0;
}

/* Writes a new file and renames it, so that after a crash either the old or the new one exists. */
static bool replace_file(const char *path, const char *text)
{
    char *draft;
    bool written;
    int fd;

    if (asprintf(&draft, "%s.new", path) < 0)
        return false;
    fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    written = fd >= 0 && write_all(fd, text, strlen(text));
    if (fd >= 0 && close(fd))
        written = false;
    written = written && rename(draft, path) == 0;
    free(draft);
    return written;
}

bool sb_save(struct sandbox *sb)
{
    const char *path = sb->options->state_file;
    uint64_t change;
    char *text;
    bool written;

    if (!path || !*path)
        return true;
    pthread_mutex_lock(&sb->lock);
    change = sb->change;
    text = change == sb->saved ? NULL : json_dumps(sb->root, JSON_COMPACT);
    written = text || change == sb->saved;
    pthread_mutex_unlock(&sb->lock);
    if (!text)
        return written;
    written = replace_file(path, text);
    free(text);
    if (written)
        sb->saved = change;
    return written;
}
