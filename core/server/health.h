/* Builtin groups: tables like those of a plugin, but linked into the gateway. */
#pragma once

#include "call/call.h"

/* A flag of builtin groups: the routes are only for the admin listener. Plugins cannot set it,
 * since the loader clears the bits that the ABI does not define. */
#define GRC_PLUGIN_ADMIN (1u << 31)

/* NULL-terminated. */
const struct gr_plugin *const *grc_builtin_plugins(void);
