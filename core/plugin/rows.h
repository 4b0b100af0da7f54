/*
 * Tables of an older ABI minor have shorter rows. Everything behind this header sees the host's own
 * row types, with the members an older plugin does not have read as zero.
 */
#pragma once

#include <greenroom/plugin.h>

/* A host-sized copy of the descriptor and all its tables but the field rows (see
 * validate/schema.h). NULL without memory. Released with grc_rows_free(). */
const struct gr_plugin *grc_rows_normalise(const struct gr_plugin *desc);
void grc_rows_free(const struct gr_plugin *desc);

size_t grc_route_rows(const struct gr_route *rows);
size_t grc_option_rows(const struct gr_option *rows);
