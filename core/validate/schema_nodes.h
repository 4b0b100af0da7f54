/* What the files behind rule.h share: compiled rows. */
#pragma once

#include "base/buf.h"
#include "validate/pattern.h"
#include "validate/schema.h"

/* Nesting of .fields and .items: also bounds every recursion over a rule. */
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
    bool single; /* one unnamed row: a value, not a list of members */
    bool binds;  /* some row in it, at any depth, has .binds */
    bool strips; /* some row in it, at any depth, has GR_FIELD_STRIP */
};

/* True for whole numbers, as far as a double tells them apart. */
static inline bool grc_is_whole(double value)
{
    return fabs(value) < 9007199254740992.0 && (double)(int64_t)value == value;
}

/* The bounds of the row, and the rows below it, are for readers only. */
static inline bool grc_is_hint(const struct grc_node *node)
{
    return (node->row->flags & GR_FIELD_HINTS) != 0;
}

/* --- schema_walk.c --- */

/* Where a walk is: a list through the frames of its recursion, turned to text only for problems. */
struct grc_place {
    const struct grc_place *up; /* NULL: the value itself, which has no name */
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

/* Notes a problem. GR_OK, or GR_ERR_NO_MEMORY. */
enum gr_err grc_walk_report(struct grc_walk *walk, const struct grc_place *place,
                            enum gr_problem_kind kind, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with what the row expects. */
enum gr_err grc_walk_expect(struct grc_walk *walk, const struct grc_place *place,
                            enum gr_problem_kind kind, const struct grc_node *node);
/* Bounds of a row: 0, GR_PROBLEM_MIN or GR_PROBLEM_MAX. */
int grc_out_of_range(const struct grc_node *node, double value);
/* Range, multiple and list of a value whose type is right; anything for a hint. */
enum gr_err grc_walk_integer(struct grc_walk *walk, const struct grc_place *place,
                             const struct grc_node *node, int64_t value);
enum gr_err grc_walk_number(struct grc_walk *walk, const struct grc_place *place,
                            const struct grc_node *node, double value);
enum gr_err grc_walk_string(struct grc_walk *walk, const struct grc_place *place,
                            const struct grc_node *node, gr_str value);
/* Tells whether a member is there, and when it is a scalar, whether it equals value (may be NULL:
 * any). ctx is what the walk looks at. */
typedef bool grc_present_fn(const void *ctx, const struct grc_node *node, const char *value);
/* Reports the missing members of a rule: required ones, .when, .any_of. */
enum gr_err grc_walk_missing(struct grc_walk *walk, const struct grc_place *up,
                             const struct grc_schema *rule, grc_present_fn *present,
                             const void *ctx);
/* Runs .check. Its own problems are its result, and get the place of the value put before them; any
 * other error ends the walk. */
enum gr_err grc_walk_check(struct grc_walk *walk, const struct grc_place *place,
                           const struct grc_node *node, const json_t *parent, const json_t *value);
