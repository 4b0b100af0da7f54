/* Which users can change the files that a gateway goes by. */
#pragma once

#include "config/settings.h"

/*
 * Who else can change a file or a directory: "mode 0666" when every user can, "owner 1000" when a
 * user owns it who is neither root nor the one that the gateway runs as. That is the user of the
 * process, server.user, or the owner of the state directory. Where the file system is mounted
 * read-only, modes and owners say nothing. malloc'ed; NULL when there is none, or no such file.
 */
char *grc_owned_by_others(const struct grc_settings *settings, const char *path);

typedef void grc_owned_fn(void *arg, const char *path, const char *found);
/* Calls fn for each file and directory of the config that other users can change: the files of the
 * gateway and of the groups, keys, key sets and certificates. */
void grc_config_owned_by_others(const struct grc_settings *settings, grc_owned_fn *fn, void *arg);
/* Warns of them in the log. */
void grc_config_warn_owners(const struct grc_settings *settings);
