/* A plugin whose second migration is not SQL. */
#include "broken.h"

static const struct gr_migration steps[] = {
    {1, "first", "CREATE TABLE broken_a (id TEXT)", NULL},
    {2, "second", "CREATE TABEL broken_b (id TEXT)", NULL},
    GR_END,
};

BROKEN_PLUGIN(.migrations = steps)
