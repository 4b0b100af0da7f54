#include "http/port_owner.h"

#include "base/format.h"

#include <dirent.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_LISTEN 10u

/* A listening socket, from /proc/net/tcp (see proc(5)). */
struct listener {
    unsigned long inode;
    unsigned uid;
};

/* One line of /proc/net/tcp: "0: 0100007F:1F90 00000000:0000 0A … uid timeout inode". */
static bool read_line(char *line, unsigned port, struct listener *ret_listener)
{
    char *words[10];
    char *rest = line;
    size_t count = 0;

    while (count < 10 && (words[count] = strsep(&rest, " \t\n")))
        count += words[count][0] != '\0';
    const char *colon = count == 10 ? strchr(words[1], ':') : NULL;
    if (!colon || strtoul(colon + 1, NULL, 16) != port ||
        strtoul(words[3], NULL, 16) != STATE_LISTEN)
        return false;
    ret_listener->uid = (unsigned)strtoul(words[7], NULL, 10);
    ret_listener->inode = strtoul(words[9], NULL, 10);
    return true;
}

static bool find_in(const char *table, unsigned port, struct listener *ret_listener)
{
    FILE *file = fopen(table, "re");
    bool found = false;
    char line[512];

    while (file && !found && fgets(line, sizeof(line), file))
        found = read_line(line, port, ret_listener);
    if (file)
        (void)fclose(file);
    return found;
}

/* Also returns false if the descriptors of the process may not be read. */
static bool has_socket(const char *pid, unsigned long inode)
{
    char path[64];
    char wanted[64];
    char target[64];
    struct dirent *entry;
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    DIR *directory = opendir(path);
    while (directory && !found && (entry = readdir(directory))) {
        ssize_t len = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

        target[len > 0 ? len : 0] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    if (directory)
        (void)closedir(directory);
    return found;
}

static char *describe(const char *pid)
{
    char path[64];
    char name[32] = "";

    snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
    FILE *file = fopen(path, "re");
    if (file && fgets(name, sizeof(name), file))
        name[strcspn(name, "\n")] = '\0';
    if (file)
        (void)fclose(file);
    return grc_format("process %s (%s)", pid, name);
}

static char *find_process(unsigned long inode)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    char *text = NULL;

    while (processes && !text && (entry = readdir(processes))) {
        if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name) &&
            has_socket(entry->d_name, inode))
            text = describe(entry->d_name);
    }
    if (processes)
        (void)closedir(processes);
    return text;
}

char *grc_port_owner(unsigned port)
{
    struct listener listener;

    if (!find_in("/proc/net/tcp", port, &listener) && !find_in("/proc/net/tcp6", port, &listener))
        return NULL;
    char *text = find_process(listener.inode);
    if (text)
        return text;
    const struct passwd *user = getpwuid(listener.uid);
    return user ? grc_format("a process of user %s", user->pw_name)
                : grc_format("a process of user %u", listener.uid);
}
