/* Runs several exchanges at the same time, each on a fiber of its own. For run.c; called on a
 * fiber. */
#pragma once

#include "upstream/internal.h"

/* Returns false without memory, having done nothing. */
bool grc_group_run(struct grc_upstreams *all, struct grc_exchange *exchanges, size_t count);
