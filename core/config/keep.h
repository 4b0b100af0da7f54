/* The memory of one reading of the config. It is kept until grc_keep_done(), which wipes and frees
 * all of it at once. Only one thread may use it at a time. A zeroed struct is an empty one. */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

struct grc_keep_block;

struct grc_keep {
    struct grc_keep_block *blocks;
};

/* Returns zeroed memory, aligned for any type; NULL without memory. */
void *grc_keep_alloc(struct grc_keep *keep, size_t bytes);
/* Returns a NUL-terminated copy; NULL without memory. */
char *grc_keep_copy(struct grc_keep *keep, gr_str text);
/* Keeps a value until the end. Steals the reference, also on failure (NULL without memory). */
const json_t *grc_keep_json(struct grc_keep *keep, json_t *stolen);
/* Wipes and frees everything. */
void grc_keep_done(struct grc_keep *keep);

/* Overwrites every string in a value and drops the caller's reference, which has to be the only
 * one. */
void grc_json_wipe(json_t *stolen);
