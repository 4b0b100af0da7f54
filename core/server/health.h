/* Groups that are part of the host: rows like those of any plugin, but linked in. */
#pragma once

#include "call/call.h"

/* Of a builtin group: its routes are for the admin listener alone. A plugin cannot set it: the
 * loader masks the bits that the ABI does not define. */
#define GRC_PLUGIN_ADMIN (1u << 31)

/* NULL-terminated. */
const struct gr_plugin *const *grc_builtin_plugins(void);
