/* Groups that are part of the host: rows like those of any plugin, but linked in. */
#pragma once

#include "call/call.h"

/* NULL-terminated. */
const struct gr_plugin *const *grc_builtin_plugins(void);
