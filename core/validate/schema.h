/*
 * Compiled field rows: patterns compiled, rows copied to the host's row size. Immutable and
 * thread-safe after compilation. One walk validates bodies, queries and path parameters.
 */
#pragma once

#include "base/arena.h"

#include <jansson.h>

struct grc_schema;

/* Compiles rows (ended by GR_END; stepping by field_size) as the members of an object. NULL with a
 * malloc'ed reason naming the row when one is wrong (bad pattern, no doc, no type …). */
struct grc_schema *grc_schema_members(const struct gr_field *rows, size_t field_size,
                                      char **ret_reason);
/* Compiles a single row: a body. */
struct grc_schema *grc_schema_value(const struct gr_field *row, size_t field_size,
                                    char **ret_reason);
void grc_schema_free(struct grc_schema *rule);

/* Where problems go. */
struct grc_problems {
    struct grc_arena *arena;
    struct gr_problem *list; /* in the arena */
    size_t count;
    size_t cap; /* grows up to max */
    size_t max; /* further ones are counted, not kept */
    size_t total;
};
enum gr_err grc_problem_add(struct grc_problems *problems, const char *in, const char *where,
                            enum gr_problem_kind kind, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/*
 * Walks a value. call is handed to .check functions (may be NULL in tests). GR_OK, GR_ERR_INVALID
 * with problems, GR_ERR_NO_MEMORY, or another error that a .check function returned. Recursion
 * is bounded by the rows. value NULL means absent: wrong with GR_FIELD_REQUIRED, else an empty
 * object or array. A null in the place of the whole value is wrong unless the row is GR_ANY.
 */
enum gr_err grc_schema_check_json(const struct grc_schema *rule, struct gr_call *call,
                                  const json_t *value, struct grc_problems *problems);
/*
 * The same for decoded pairs, whose values are NUL-terminated. in: "query" or "path". Unknown names
 * pass; a name without GR_FIELD_REPEATED must stand once. In "path" every value, with a row or
 * without, must be one safe segment, of at most 256 bytes unless a row has a .range; rule may be
 * NULL. .check functions see a JSON value of the row's type, and NULL as its parent.
 */
enum gr_err grc_schema_check_pairs(const struct grc_schema *rule, struct gr_call *call,
                                   const char *in, const struct gr_pair *pairs, size_t count,
                                   struct grc_problems *problems);

/* Calls visit for every value that a row with .binds describes and that is present (integers as
 * digits). Stops at, and returns, the first error of visit. */
typedef enum gr_err grc_bind_fn(void *arg, const char *binds, gr_str value);
enum gr_err grc_schema_binds_json(const struct grc_schema *rule, const json_t *value,
                                  grc_bind_fn *visit, void *arg);
enum gr_err grc_schema_binds_pairs(const struct grc_schema *rule, const struct gr_pair *pairs,
                                   size_t count, grc_bind_fn *visit, void *arg);
/*
 * Looks for a name that is not a row's, but that a lenient decoder behind the gateway may take for
 * that of a row with .binds, or of one that holds such: in another case, with or without '_' and
 * '-', with an index behind it. Returns the row's name, and the one found in ret_name; NULL: there
 * is none. schema may be NULL for pairs.
 */
const char *grc_schema_shadow_pairs(const struct grc_schema *schema, const struct gr_pair *pairs,
                                    size_t count, gr_str *ret_name);
const char *grc_schema_shadow_json(const struct grc_schema *schema, const json_t *value,
                                   gr_str *ret_name);
/* True when some member row has GR_FIELD_STRIP. */
bool grc_schema_strips(const struct grc_schema *rule);
/* The value without the members whose rows have GR_FIELD_STRIP: a new reference that shares what it
 * did not have to change. NULL without memory. value must have passed the check. */
json_t *grc_schema_strip(const struct grc_schema *rule, const json_t *value);
/* The name of the first row that cannot describe a query or path parameter (object, array, map), or
 * NULL: for the loader's check of tables. */
const char *grc_schema_not_flat(const struct grc_schema *rule);
/* The malloc'ed text of what a row expects, "an integer from 1 to 5"; NULL without memory. */
char *grc_schema_expected(const struct gr_field *row);
/* The rows it was made of, host-sized: for documents. */
const struct gr_field *grc_schema_rows(const struct grc_schema *rule);
