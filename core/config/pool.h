/* Memory of one reading of the config: kept until the end, then wiped and freed at once. One
 * thread at a time. A zeroed struct is an empty pool. */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

struct grc_config_pool_block;

struct grc_config_pool {
    struct grc_config_pool_block *blocks;
};

/* Zeroed, aligned for any type; NULL without memory. */
void *grc_config_pool_alloc(struct grc_config_pool *pool, size_t bytes);
/* NUL-terminated copy. */
char *grc_config_pool_copy(struct grc_config_pool *pool, gr_str text);
/* Keeps a value until the end. Steals the reference, also on failure (NULL without memory). */
const json_t *grc_config_pool_json(struct grc_config_pool *pool, json_t *stolen);
/* Wipes and frees everything. */
void grc_config_pool_done(struct grc_config_pool *pool);

/* Overwrites every string in a value that nobody else may hold, and drops the reference. */
void grc_json_wipe(json_t *stolen);
