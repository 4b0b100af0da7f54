/* JSON schema (draft 2020-12, as OpenAPI 3.1 uses it) from field rows. */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

/* Returns the index-th row of a table with rows of size bytes, in the host's row type. */
struct gr_field grc_field_at(const struct gr_field *rows, size_t size, size_t index);
/* Returns the schema of a row as a new reference; NULL without memory. size is that of the rows
 * below this one. With null_fine, null may stand for an absent value. */
json_t *grc_field_schema(const struct gr_field *row, size_t size, bool null_fine);
/* Returns JSON text as a value, or as a string when it is not JSON. A new reference. */
json_t *grc_example(const char *text);
