/*
 * Compiled field rows: patterns compiled, rows copied to the host's row size. Immutable and
 * thread-safe after compilation. One walk validates bodies, queries and path parameters.
 */
#pragma once

#include "base/arena.h"

#include <jansson.h>

struct grc_rule;

/* Compiles rows (ended by GR_END; stepping by field_size) as the members of an object. NULL with a
 * malloc'ed reason naming the row when one is wrong (bad pattern, no doc, no type …). */
struct grc_rule *grc_rule_members(const struct gr_field *rows, size_t field_size,
                                  char **ret_reason);
/* Compiles a single row: a body. */
struct grc_rule *grc_rule_value(const struct gr_field *row, size_t field_size, char **ret_reason);
void grc_rule_free(struct grc_rule *rule);

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

/* Walks a value. call is handed to .check functions (may be NULL in tests). GR_OK, GR_ERR_INVALID
 * with problems, or GR_ERR_NO_MEMORY. Recursion is bounded by the rows. */
enum gr_err grc_rule_check_json(const struct grc_rule *rule, struct gr_call *call,
                                const json_t *value, struct grc_problems *problems);
/* The same for decoded pairs. in: "query" or "path". Unknown names pass. */
enum gr_err grc_rule_check_pairs(const struct grc_rule *rule, struct gr_call *call, const char *in,
                                 const struct gr_pair *pairs, size_t count,
                                 struct grc_problems *problems);

/* Calls visit for every value that a row with .binds describes and that is present. */
typedef enum gr_err grc_bind_fn(void *arg, const char *binds, gr_str value);
enum gr_err grc_rule_binds_json(const struct grc_rule *rule, const json_t *value,
                                grc_bind_fn *visit, void *arg);
enum gr_err grc_rule_binds_pairs(const struct grc_rule *rule, const struct gr_pair *pairs,
                                 size_t count, grc_bind_fn *visit, void *arg);
/* True when some member row has GR_STRIP. */
bool grc_rule_strips(const struct grc_rule *rule);
/* The rows it was made of, host-sized: for documents. */
const struct gr_field *grc_rule_rows(const struct grc_rule *rule);
