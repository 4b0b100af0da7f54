/*
 * The tables that a gateway needs in its store: those of its groups and its own, each set with a
 * name and numbered migrations. Several gateways share a store, so one may be of an older release
 * than the one that has migrated it.
 */
#pragma once

#include "runtime/runtime.h"

/* wanted: the config needs the tables. Returns false to end the visit. */
typedef bool grc_schema_fn(void *arg, const char *name, const struct gr_migration *steps,
                           bool wanted);
/* Visits all that this release knows. A name may come more than once: groups may share tables. */
bool grc_schemas_visit(const struct grc_runtime *runtime, grc_schema_fn *visit, void *arg);
/* The number of the last step; 0: there is none. */
int grc_schema_newest(const struct gr_migration *steps);

/*
 * Asks the store of a runtime whether it answers and whether this release fits it. Returns NULL, or
 * what is wrong, which may be in ret_text: a newer release has migrated tables that are in use
 * here. The log says so once.
 */
const char *grc_schemas_trouble(const struct grc_runtime *runtime, char *ret_text, size_t size);
