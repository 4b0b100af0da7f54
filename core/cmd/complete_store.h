/* The store of a command that lists names for completion, which must change nothing. */
#pragma once

#include "runtime/runtime.h"

/* Whether this command lists names for completion: its scripts set the variable
 * GREENROOM_COMPLETION. */
bool grc_completes(void);

/* A directory with a store that is used once. */
struct grc_spare {
    char *path; /* NULL: there is none */
};
/* Opens the store to be read, as the one of the runtime. If no gateway of this release has used it
 * yet, it has no names, and is not made or migrated for them: an empty store of its own then lets
 * the command find those in the config. Returns false if there is none. */
bool grc_complete_store_open(struct grc_runtime *runtime, const struct grc_plugin *plugin,
                             struct grc_spare *ret_spare);
void grc_spare_done(struct grc_spare *spare);
