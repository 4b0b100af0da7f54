/*
 * Where the files of this installation are. The program finds them relative to its own path, so
 * that an installation also works under another prefix than the one it was configured for.
 *
 * In a build tree, plugins and state are beside the program. PREFIX/bin/greenroom has its plugins
 * under PREFIX/lib, its samples under PREFIX/share, its configuration under PREFIX/etc and its
 * state under PREFIX/var. As in the GNU coding standards, /usr/etc becomes /etc, and /usr/var and
 * /usr/local/var become /var. A program anywhere else uses the prefix it was configured for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum grc_place {
    GRC_PLACE_CONFIG,  /* .../etc/greenroom; in a build tree that of the configured prefix */
    GRC_PLACE_DATA,    /* .../share/greenroom; in a build tree that of the configured prefix */
    GRC_PLACE_PLUGINS, /* .../lib/greenroom/plugins */
    GRC_PLACE_STATE,   /* .../var/lib/greenroom */
};

/* Writes the absolute path. Returns false when it does not fit. Thread-safe. */
bool grc_place(enum grc_place place, char *ret_path, size_t size);
/* As grc_place(), for a program at this absolute path. */
bool grc_place_of(const char *program, enum grc_place place, char *ret_path, size_t size);
