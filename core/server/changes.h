/* The changes of a config at a reload. */
#pragma once

#include <jansson.h>

/* Compares two lists that grc_show_end() made with digests. Returns an array of {"file", "path",
 * "before", "after", "at"}; new values have no before, removed values no after. New reference; NULL
 * without memory. */
json_t *grc_changes(const json_t *before, const json_t *after);
