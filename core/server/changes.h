/* What a reload changed in the config. */
#pragma once

#include <jansson.h>

/* Of two lists that grc_show_end() made with digests: an array of {"file", "path", "before",
 * "after", "at"}. before is missing where a value is new, after where it is gone. New reference;
 * NULL without memory. */
json_t *grc_changes(const json_t *before, const json_t *after);
