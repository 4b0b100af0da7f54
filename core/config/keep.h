/* Memory of one reading of the config: kept until the end, then wiped and freed at once. One
 * thread at a time. A zeroed struct is an empty one. */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

struct grc_keep_block;

struct grc_keep {
    struct grc_keep_block *blocks;
};

/* Zeroed, aligned for any type; NULL without memory. */
void *grc_keep_alloc(struct grc_keep *keep, size_t bytes);
/* NUL-terminated copy. */
char *grc_keep_copy(struct grc_keep *keep, gr_str text);
/* Keeps a value until the end. Steals the reference, also on failure (NULL without memory). */
const json_t *grc_keep_json(struct grc_keep *keep, json_t *stolen);
/* Wipes and frees everything. */
void grc_keep_done(struct grc_keep *keep);

/* Overwrites every string in a value that nobody else may hold, and drops the reference. */
void grc_json_wipe(json_t *stolen);
