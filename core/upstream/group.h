/* Exchanges side by side, each on a fiber of its own. For run.c; the caller is on a fiber. */
#pragma once

#include "upstream/internal.h"

/* false: no memory for it, and nothing was done. */
bool grc_group_run(struct grc_upstreams *all, struct grc_exchange *exchanges, size_t count);
