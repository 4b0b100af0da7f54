/*
 * Schemas: field rows copied to the host's row size, with their patterns compiled. Immutable and
 * thread-safe after compilation. They validate bodies, queries and path parameters.
 */
#pragma once

#include "base/arena.h"

#include <jansson.h>

struct grc_schema;

/* Compiles rows of field_size bytes each, up to GR_END, as the members of an object. When a row is
 * wrong (bad pattern, no doc, no type …), it returns NULL and a malloc'ed reason that names it. */
struct grc_schema *grc_schema_members(const struct gr_field *rows, size_t field_size,
                                      char **ret_reason);
/* Compiles a single row, which describes a body. */
struct grc_schema *grc_schema_value(const struct gr_field *row, size_t field_size,
                                    char **ret_reason);
void grc_schema_free(struct grc_schema *schema);

/* The problems that checks have found. */
struct grc_problems {
    struct grc_arena *arena;
    struct gr_problem *list; /* in the arena */
    size_t count;
    size_t cap; /* grows up to max */
    size_t max; /* further problems are only counted, in total */
    size_t total;
};
enum gr_err grc_problem_add(struct grc_problems *problems, const char *in, const char *where,
                            enum gr_problem_kind kind, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/*
 * Checks a value. call is passed to .check functions (may be NULL in tests). Returns GR_OK,
 * GR_ERR_INVALID with problems, GR_ERR_NO_MEMORY, or another error that a .check function returned.
 * The nesting of the rows bounds the recursion. A value of NULL is absent: that is a problem with
 * GR_FIELD_REQUIRED, otherwise it counts as an empty object or array. A JSON null as the whole
 * value is a problem unless the row is GR_ANY.
 */
enum gr_err grc_schema_check_json(const struct grc_schema *schema, struct gr_call *call,
                                  const json_t *value, struct grc_problems *problems);
/*
 * As grc_schema_check_json(), for decoded pairs with NUL-terminated values. in is "query" or
 * "path". Unknown names pass; a name may come several times only with GR_FIELD_REPEATED. In "path"
 * every value, also one without a row, must be one safe segment, of at most 256 bytes unless its
 * row has a .range. schema may be NULL. .check functions get a JSON value of the row's type, with
 * the parent NULL.
 */
enum gr_err grc_schema_check_pairs(const struct grc_schema *schema, struct gr_call *call,
                                   const char *in, const struct gr_pair *pairs, size_t count,
                                   struct grc_problems *problems);

/* True when some row, at any depth, has a .check function. schema may be NULL. */
bool grc_schema_has_checks(const struct grc_schema *schema);
/*
 * From now on, values are given to fn, which checks them instead of this process: for groups whose
 * .check functions run in a process of their own. Called before the schema is in use.
 */
typedef enum gr_err grc_elsewhere_fn(struct gr_call *call, const char *in,
                                     struct grc_problems *problems);
void grc_schema_check_elsewhere(struct grc_schema *schema, grc_elsewhere_fn *fn);

/* Calls visit for every present value of a row with .binds (an integer as its digits). Stops at the
 * first error of visit and returns it. */
typedef enum gr_err grc_bind_fn(void *arg, const char *binds, gr_str value);
enum gr_err grc_schema_binds_json(const struct grc_schema *schema, const json_t *value,
                                  grc_bind_fn *visit, void *arg);
enum gr_err grc_schema_binds_pairs(const struct grc_schema *schema, const struct gr_pair *pairs,
                                   size_t count, grc_bind_fn *visit, void *arg);
/*
 * Looks for a name that no row has, but that a lenient decoder behind the gateway may take for the
 * name of a row with .binds (or of a row above one): it differs in case, in '_' and '-', or has an
 * index behind it. Returns the name of the row, and in ret_name the name that was found; NULL when
 * there is none. schema may be NULL for pairs.
 */
const char *grc_schema_shadow_pairs(const struct grc_schema *schema, const struct gr_pair *pairs,
                                    size_t count, gr_str *ret_name);
const char *grc_schema_shadow_json(const struct grc_schema *schema, const json_t *value,
                                   gr_str *ret_name);
/* True when a JSON value is of the type. Everything is of GR_ANY. */
bool grc_type_fits(enum gr_type type, const json_t *value);
/* True when a row, at any depth, has GR_FIELD_STRIP. */
bool grc_schema_strips(const struct grc_schema *schema);
/* Returns a new reference to the value without the members of rows with GR_FIELD_STRIP; unchanged
 * parts are shared. NULL without memory. value must have passed the check. */
json_t *grc_schema_strip(const struct grc_schema *schema, const json_t *value);
/* Returns the name of the first row that cannot describe a query or path parameter (an object,
 * array or map), or NULL. For the loader's check of tables. */
const char *grc_schema_not_flat(const struct grc_schema *schema);
/* Returns a malloc'ed text of what a row expects, "an integer from 1 to 5"; NULL without memory. */
char *grc_schema_expected(const struct gr_field *row);
/* Returns the schema's copies of its rows, of the host's size, for documents. */
const struct gr_field *grc_schema_rows(const struct grc_schema *schema);
