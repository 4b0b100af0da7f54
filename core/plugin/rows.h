/*
 * Tables of an older minor version of the ABI have shorter rows. These functions copy them into the
 * host's row types; members that the plugin's rows lack are zero.
 */
#pragma once

#include <greenroom/plugin.h>

/* Returns a host-sized copy of the descriptor and all its tables except field rows (see
 * validate/schema.h). NULL without memory. The caller releases it with grc_rows_free(). */
const struct gr_plugin *grc_rows_normalise(const struct gr_plugin *desc);
void grc_rows_free(const struct gr_plugin *desc);

size_t grc_route_rows(const struct gr_route *rows);
