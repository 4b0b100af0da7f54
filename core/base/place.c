#include "base/place.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories relative to the prefix, or absolute when the build was configured with absolute ones.
 */
static const struct {
    const char *installed;
    const char *beside; /* its name in a build tree; NULL when it is not there */
} places[] = {
    [GRC_PLACE_CONFIG] = {GRC_CONFDIR, NULL},
    [GRC_PLACE_DATA] = {GRC_DATADIR, NULL},
    [GRC_PLACE_PLUGINS] = {GRC_PLUGINDIR, "plugins"},
    [GRC_PLACE_STATE] = {"var/lib/greenroom", "state"},
};

static bool join(const char *dir, size_t dir_len, const char *name, char *ret_path, size_t size)
{
    int len = snprintf(ret_path, size, "%.*s/%s", (int)dir_len, dir, name);

    return len > 0 && (size_t)len < size;
}

static bool is_directory(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The length of the directory in a path, without the slash. */
static size_t directory_len(const char *path, size_t len)
{
    while (len > 0 && path[len - 1] != '/')
        len--;
    return len > 0 ? len - 1 : 0;
}

/* Applies the rule of place.h for /usr. */
static void leave_usr(char *path)
{
    static const struct {
        const char *from;
        size_t drop;
    } rules[] = {{"/usr/etc/", 4}, {"/usr/var/", 4}, {"/usr/local/var/", 10}};

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (strncmp(path, rules[i].from, strlen(rules[i].from)) == 0) {
            memmove(path, path + rules[i].drop, strlen(path + rules[i].drop) + 1);
            return;
        }
    }
}

bool grc_place_of(const char *program, enum grc_place place, char *ret_path, size_t size)
{
    const char *installed = places[place].installed;
    size_t dir = directory_len(program, strlen(program));
    const char *prefix = program;
    size_t prefix_len = directory_len(program, dir);

    if (join(program, dir, "plugins", ret_path, size) && is_directory(ret_path)) {
        if (places[place].beside)
            return join(program, dir, places[place].beside, ret_path, size);
        prefix = GRC_PREFIX;
        prefix_len = strlen(GRC_PREFIX);
    } else if (dir < 4 || memcmp(program + dir - 4, "/bin", 4) != 0) {
        prefix = GRC_PREFIX;
        prefix_len = strlen(GRC_PREFIX);
    }
    if (installed[0] == '/')
        return join("", 0, installed + 1, ret_path, size);
    if (!join(prefix, prefix_len, installed, ret_path, size))
        return false;
    leave_usr(ret_path);
    return true;
}

bool grc_place(enum grc_place place, char *ret_path, size_t size)
{
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

    program[len > 0 ? len : 0] = '\0';
    return grc_place_of(program, place, ret_path, size);
}
