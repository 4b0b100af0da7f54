/* Checks of a config with its plugins that need no side effect. Each reports what is wrong. A
 * plugin with a problem is dropped, and with on_error = "skip" the check still returns true. */
#pragma once

#include "server/lifecycle.h"

/* Whether no other plugin of the runtime has the name of this one, or the operation id of one of
 * its routes. */
bool grc_runtime_check_unique(const struct grc_runtime *runtime, struct grc_plugin *plugin,
                              const struct grc_reporter *reporter);
/* Whether the loaded plugins get what they need, such as upstreams and a store. */
bool grc_runtime_check(struct grc_runtime *runtime, const struct grc_reporter *reporter);
/* Whether the migrations of all plugins work, before any of them has an effect: tries those that
 * the open store lacks, or all of them while no store is open. */
bool grc_runtime_try_migrations(struct grc_runtime *runtime, const struct grc_reporter *reporter);
