/* Builtin groups: tables like those of a plugin, but linked into the gateway. */
#pragma once

#include "call/call.h"

/* NULL-terminated. */
const struct gr_plugin *const *grc_builtin_plugins(void);
