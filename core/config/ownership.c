#include "config/ownership.h"

#include "base/file.h"
#include "base/format.h"
#include "base/log.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A service manager may set the user, and then only the state directory tells who that is. */
static bool is_own(const struct grc_settings *settings, uid_t owner)
{
    struct stat state;

    if (owner == 0 || owner == geteuid())
        return true;
    if (settings->state_dir && stat(settings->state_dir, &state) == 0 && state.st_uid == owner)
        return true;
    const struct passwd *user = settings->user ? getpwnam(settings->user) : NULL;
    return user && user->pw_uid == owner;
}

/* The volumes of ConfigMaps and Secrets have mode 0777, and are mounted read-only. */
static bool is_on_read_only(const char *path)
{
    struct statvfs system;

    return statvfs(path, &system) == 0 && (system.f_flag & ST_RDONLY);
}

char *grc_owned_by_others(const struct grc_settings *settings, const char *path)
{
    struct stat info;

    if (!path || stat(path, &info) != 0 || is_on_read_only(path))
        return NULL;
    /* In a directory with the sticky bit, other users can add files, but not replace existing ones.
     */
    if (info.st_mode & S_IWOTH)
        return grc_format("mode %04o", info.st_mode & 07777u);
    return is_own(settings, info.st_uid) ? NULL : grc_format("owner %u", (unsigned)info.st_uid);
}

struct visit {
    const struct grc_settings *settings;
    grc_owned_fn *fn;
    void *arg;
};

static void look_at(const struct visit *visit, const char *path)
{
    char *found = grc_owned_by_others(visit->settings, path);

    if (found)
        visit->fn(visit->arg, path, found);
    free(found);
}

static void look_beside(const struct visit *visit, const char *name)
{
    char *path = grc_path_join(visit->settings->dir, name);

    look_at(visit, path);
    free(path);
}

static void look_at_keys(const struct visit *visit)
{
    const struct grc_auth_settings *auth = &visit->settings->auth;

    look_at(visit, auth->keys_file);
    for (size_t i = 0; i < auth->jwt_count; i++) {
        look_at(visit, auth->jwt[i].jwks_file);
        for (size_t j = 0; j < auth->jwt[i].key_count; j++)
            look_at(visit, auth->jwt[i].keys[j].file);
    }
    look_at(visit, visit->settings->tls.certificate);
    look_at(visit, visit->settings->tls.key);
}

void grc_config_owned_by_others(const struct grc_settings *settings, grc_owned_fn *fn, void *arg)
{
    const struct visit visit = {settings, fn, arg};

    look_at(&visit, settings->dir);
    look_beside(&visit, "greenroom.json");
    look_beside(&visit, "plugins.d");
    look_at(&visit, settings->plugin_dir);
    for (size_t i = 0; i < settings->plugin_count; i++)
        look_at(&visit, settings->plugins[i].file);
    look_at_keys(&visit);
}

static void warn(void *arg, const char *path, const char *found)
{
    (void)arg;
    grc_warn("%s: %s: another user can change what the gateway relies on", path, found);
}

void grc_config_warn_owners(const struct grc_settings *settings)
{
    grc_config_owned_by_others(settings, warn, NULL);
}
