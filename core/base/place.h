/*
 * Where the files of this installation are. The program finds them from where it stands itself, so
 * that a tree that was installed at another prefix than it was configured for, or moved, works.
 *
 * In a build tree everything is beside the program. PREFIX/bin/greenroom has its plugins under
 * PREFIX/lib, its samples under PREFIX/share, its configuration under PREFIX/etc and its state
 * under PREFIX/var, where /usr/etc is /etc, and /usr/var and /usr/local/var are /var, as the GNU
 * coding standards have it. A program that stands elsewhere uses the prefix it was configured for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum grc_place {
    GRC_PLACE_CONFIG,  /* .../etc/greenroom; in a build tree that of the configured prefix */
    GRC_PLACE_DATA,    /* .../share/greenroom; the same */
    GRC_PLACE_PLUGINS, /* .../lib/greenroom/plugins */
    GRC_PLACE_STATE,   /* .../var/lib/greenroom */
};

/* Writes the absolute path. false when it does not fit. Thread-safe. */
bool grc_place(enum grc_place place, char *ret_path, size_t size);
/* The same for a program that stands at this absolute path. */
bool grc_place_of(const char *program, enum grc_place place, char *ret_path, size_t size);
