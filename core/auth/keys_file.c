/* The file of API keys: locks it, checks it, and writes it as a whole. */
#include "auth/keys_use.h"

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 8u

/* --- opening and saving --- */

static bool lock(struct grc_key_file *file, char **ret_reason)
{
    char *path = grc_keys_beside(file->path, GRC_KEYS_LOCK_SUFFIX);

    file->lock = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (file->lock < 0)
        grc_refuse(ret_reason, "'%s': %s", path ? path : file->path, strerror(errno));
    else
        grc_file_hand_over(file->lock, path);
    free(path);
    if (file->lock < 0)
        return false;
    while (flock(file->lock, LOCK_EX) != 0) {
        if (errno != EINTR)
            return grc_refuse(ret_reason, "'%s' cannot be locked: %s", file->path, strerror(errno));
    }
    return true;
}

static bool read_root(struct grc_key_file *file, char **ret_reason)
{
    struct stat info;
    size_t len = 0;
    const char *reason = NULL;
    char *wrong = NULL;

    if (stat(file->path, &info) != 0 && errno == ENOENT) {
        file->root = grc_key_document();
        return file->root || grc_refuse(ret_reason, "out of memory");
    }
    char *text = grc_file_read(file->path, GRC_KEYS_FILE_MAX, &len, &reason);
    if (!text)
        return grc_refuse(ret_reason, "'%s': %s", file->path, reason);
    struct grc_key_set *set = grc_key_set_parse((gr_str){text, len}, &wrong);
    if (set)
        file->root = grc_json_parse((gr_str){text, len}, DEPTH_MAX, &reason);
    else
        grc_refuse(ret_reason, "'%s': %s", file->path, wrong ? wrong : "out of memory");
    grc_key_set_unref(set);
    free(wrong);
    free(text);
    return file->root != NULL;
}

bool grc_key_file_open(struct grc_key_file *file, const char *path, char **ret_reason)
{
    *file = (struct grc_key_file){.path = path, .lock = -1};
    if (lock(file, ret_reason) && read_root(file, ret_reason))
        return true;
    grc_key_file_close(file);
    return false;
}

bool grc_key_file_save(struct grc_key_file *file, char **ret_reason)
{
    char *text = json_dumps(file->root, JSON_INDENT(1));
    char *wrong = NULL;
    struct grc_key_set *set = text ? grc_key_set_parse(gr_str_of(text), &wrong) : NULL;
    bool done = false;

    /* Content that the gateway could not read is not written. */
    if (!set)
        grc_refuse(ret_reason, "%s", wrong ? wrong : "out of memory");
    else if (!grc_file_write(file->path, gr_str_of(text), 0600))
        grc_refuse(ret_reason, "'%s': %s", file->path, strerror(errno));
    else
        done = true;
    grc_key_set_unref(set);
    free(wrong);
    free(text);
    return done;
}

void grc_key_file_close(struct grc_key_file *file)
{
    json_decref(file->root);
    file->root = NULL;
    if (file->lock >= 0)
        close(file->lock);
    file->lock = -1;
}
