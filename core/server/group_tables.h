/* What groups show on the status page: the tables of their status functions. */
#pragma once

#include "runtime/runtime.h"

#include <jansson.h>

/* An object with the tables of each group that has some. A group that fails, takes longer than a
 * second or shows too much is left out. New reference; NULL without memory. */
json_t *grc_group_tables(struct grc_runtime *runtime);
