/* Compiled rows, shared by the files behind schema.h. */
#pragma once

#include "base/buf.h"
#include "validate/pattern.h"
#include "validate/schema.h"

/* The deepest nesting of .fields and .items; it bounds every recursion over a schema. */
#define GRC_SCHEMA_DEPTH_MAX 16u
#define GRC_SCHEMA_NO_GROUP SIZE_MAX

struct grc_node {
    const struct gr_field *row;
    size_t name_len;
    struct grc_pattern *pattern;
    char *expected;            /* "a string of at most 300 characters" */
    struct grc_schema *fields; /* GR_OBJECT: members, or NULL */
    struct grc_schema *items;  /* GR_ARRAY, GR_MAP: a single node, or NULL */
    size_t group; /* index of the first row of its any_of group, or GRC_SCHEMA_NO_GROUP */
    size_t when;  /* index of the row that .when names */
};

struct grc_schema {
    struct gr_field *rows; /* host-sized copies, one empty row behind them */
    struct grc_node *nodes;
    size_t count;
    bool single; /* a single row describes the value itself; otherwise the rows are its members */
    bool binds;  /* some row in it, at any depth, has .binds */
    bool strips; /* some row in it, at any depth, has GR_FIELD_STRIP */
    bool checks; /* some row in it, at any depth, has .check */
    grc_elsewhere_fn *elsewhere; /* NULL: values are walked in this process */
};

/* True for whole numbers in the range where a double holds every one of them. */
static inline bool grc_is_whole(double value)
{
    return fabs(value) < 9007199254740992.0 && (double)(int64_t)value == value;
}

/* True when the bounds of the row and the rows below it only document, and are not checked. */
static inline bool grc_is_hint(const struct grc_node *node)
{
    return (node->row->flags & GR_FIELD_HINTS) != 0;
}

/* --- schema_walk.c --- */

/* The place of a value in the document: a list through the frames of the recursion, which becomes a
 * text only for a problem. */
struct grc_location {
    const struct grc_location *up; /* NULL for a member of the outermost value */
    gr_str name;
    size_t index;
    bool is_index;
};

struct grc_walk {
    struct gr_call *call;
    struct grc_problems *problems;
    const char *in;
    bool failed; /* something was reported */
};

/* Adds a problem to the list. Returns GR_OK or GR_ERR_NO_MEMORY. */
enum gr_err grc_walk_report(struct grc_walk *walk, const struct grc_location *place,
                            enum gr_problem_kind kind, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* As grc_walk_report(), with the text of what the row expects. */
enum gr_err grc_walk_expect(struct grc_walk *walk, const struct grc_location *place,
                            enum gr_problem_kind kind, const struct grc_node *node);
/* Returns GR_PROBLEM_MIN or GR_PROBLEM_MAX when the value is outside of the row's .range, else 0.
 */
int grc_out_of_range(const struct grc_node *node, double value);
/* These check the range, multiple, list and pattern of a value whose type is right. Every value
 * passes when the row is a hint. */
enum gr_err grc_walk_integer(struct grc_walk *walk, const struct grc_location *place,
                             const struct grc_node *node, int64_t value);
enum gr_err grc_walk_number(struct grc_walk *walk, const struct grc_location *place,
                            const struct grc_node *node, double value);
enum gr_err grc_walk_string(struct grc_walk *walk, const struct grc_location *place,
                            const struct grc_node *node, gr_str value);
/* Tells whether a member is present in ctx and, unless value is NULL, equals value as a scalar. */
typedef bool grc_present_fn(const void *ctx, const struct grc_node *node, const char *value);
/* Reports the missing members of a schema, as GR_FIELD_REQUIRED, .when and .any_of demand them. */
enum gr_err grc_walk_missing(struct grc_walk *walk, const struct grc_location *up,
                             const struct grc_schema *schema, grc_present_fn *present,
                             const void *ctx);
/* Runs .check. The problems it adds get the place of the value put before their own; an error other
 * than GR_ERR_INVALID is returned and ends the walk. */
enum gr_err grc_walk_check(struct grc_walk *walk, const struct grc_location *place,
                           const struct grc_node *node, const json_t *parent, const json_t *value);
