/* Which users can change the files that a gateway relies on. */
#pragma once

#include "config/settings.h"

/*
 * Who else can change a file or a directory: "mode 0666" when every user can, "owner 1000" when its
 * owner is neither root nor the user that the gateway runs as: the user of the process,
 * server.user, or the owner of the state directory. On a file system that is mounted read-only,
 * modes and owners do not count. malloc'ed; NULL when no one else can, or there is no such file.
 */
char *grc_owned_by_others(const struct grc_settings *settings, const char *path);

typedef void grc_owned_fn(void *arg, const char *path, const char *found);
/* Calls fn for each file and directory of the config that other users can change: the files of the
 * gateway and of the groups, keys, key sets and certificates. */
void grc_config_owned_by_others(const struct grc_settings *settings, grc_owned_fn *fn, void *arg);
/* Warns of these files and directories in the log. */
void grc_config_warn_owners(const struct grc_settings *settings);
