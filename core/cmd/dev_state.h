/* The directory of greenroom dev that is deleted at the end. Not thread-safe. */
#pragma once

#include <stdbool.h>

#define GRC_DEV_STATE_PATTERN "/tmp/greenroom-dev-XXXXXX"

struct grc_dev_state {
    char path[sizeof(GRC_DEV_STATE_PATTERN)];
    int lock; /* held while the directory is in use, by this process alone */
};

/* Makes the directory. First deletes those of the same user that ended runs have left, since
 * nothing is deleted at SIGKILL. Returns false after complaining. */
bool grc_dev_state_make(struct grc_dev_state *ret_state);
void grc_dev_state_remove(struct grc_dev_state *state);
