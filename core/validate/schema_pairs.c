/* Checks decoded names and values against a schema: queries and path parameters. */
#include "base/rfc3339.h"
#include "base/uri.h"
#include "validate/schema_nodes.h"

#include <errno.h>
#include <stdlib.h>

#define PATH_VALUE_MAX_BYTES 256u
#define NUMBER_MAX_BYTES 64u

struct pairs {
    const struct gr_pair *list;
    size_t count;
};

static bool is_named(const struct gr_pair *pair, const struct grc_node *node)
{
    return gr_str_eq(pair->name, (gr_str){node->row->name, node->name_len});
}

/* A grc_present_fn; ctx is a struct pairs. */
static bool is_present(const void *ctx, const struct grc_node *node, const char *value)
{
    const struct pairs *pairs = ctx;

    for (size_t i = 0; i < pairs->count; i++) {
        if (is_named(&pairs->list[i], node) &&
            (!value || gr_str_eq(pairs->list[i].value, gr_str_of(value))))
            return true;
    }
    return false;
}

/* Skips digits. Returns false when there are none. */
static bool skip_digits(gr_str text, size_t *at)
{
    size_t start = *at;

    while (*at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9')
        *at += 1;
    return *at > start;
}

/* True for a number in JSON's syntax, which may also begin with zeros. */
static bool is_number(gr_str text, bool integer)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;

    if (text.len > NUMBER_MAX_BYTES || !skip_digits(text, &at))
        return false;
    if (!integer && at < text.len && text.ptr[at] == '.') {
        at++;
        if (!skip_digits(text, &at))
            return false;
    }
    if (!integer && at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        at++;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
            at++;
        if (!skip_digits(text, &at))
            return false;
    }
    return at == text.len;
}

/* Values are NUL-terminated, so strtoll() may read them once their syntax has been checked. */
static bool parse_integer(gr_str text, int64_t *ret_value)
{
    if (!is_number(text, true))
        return false;
    errno = 0;
    long long value = strtoll(text.ptr, NULL, 10);
    if (errno != 0)
        return false;
    *ret_value = value;
    return true;
}

static bool parse_number(gr_str text, double *ret_value)
{
    if (!is_number(text, false))
        return false;
    double value = strtod(text.ptr, NULL);
    if (!isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

/* Makes the value that a check function gets. */
static json_t *to_json(const struct grc_node *node, gr_str text)
{
    int64_t integer;
    double number;

    switch (node->row->type) {
    case GR_INT:
        return parse_integer(text, &integer) ? json_integer(integer) : NULL;
    case GR_NUMBER:
        return parse_number(text, &number) ? json_real(number) : NULL;
    case GR_BOOL:
        return json_boolean(gr_str_eq(text, GR_STR("true")));
    default:
        return json_stringn(text.ptr, text.len);
    }
}

static enum gr_err run_check(struct grc_walk *walk, const struct grc_location *place,
                             const struct grc_node *node, gr_str text)
{
    json_t *value = to_json(node, text);

    if (!value)
        return GR_ERR_NO_MEMORY;
    enum gr_err err = grc_walk_check(walk, place, node, NULL, value);
    json_decref(value);
    return err;
}

/* Type and bounds of one value. */
static enum gr_err check_typed(struct grc_walk *walk, const struct grc_location *place,
                               const struct grc_node *node, gr_str value)
{
    int64_t integer;
    double number;

    switch (node->row->type) {
    case GR_STRING:
        return grc_walk_string(walk, place, node, value);
    case GR_INT:
        if (parse_integer(value, &integer))
            return grc_walk_integer(walk, place, node, integer);
        break;
    case GR_NUMBER:
        if (parse_number(value, &number))
            return grc_walk_number(walk, place, node, number);
        break;
    case GR_BOOL:
        if (gr_str_eq(value, GR_STR("true")) || gr_str_eq(value, GR_STR("false")))
            return GR_OK;
        break;
    case GR_TIME:
        if (grc_is_hint(node) || grc_rfc3339_parse(value, NULL))
            return GR_OK;
        return grc_walk_expect(walk, place, GR_PROBLEM_VALUE, node);
    default:
        return GR_OK;
    }
    return grc_walk_expect(walk, place, GR_PROBLEM_TYPE, node);
}

static enum gr_err check_value(struct grc_walk *walk, const struct grc_location *place,
                               const struct grc_node *node, gr_str value)
{
    bool failed_before = walk->failed;

    walk->failed = false;
    enum gr_err err = check_typed(walk, place, node, value);
    if (err == GR_OK && !walk->failed && node->row->check)
        err = run_check(walk, place, node, value);
    walk->failed = walk->failed || failed_before;
    return err;
}

static enum gr_err check_row(struct grc_walk *walk, const struct grc_node *node,
                             const struct pairs *pairs)
{
    const struct grc_location place = {.name = {node->row->name, node->name_len}};
    size_t seen = 0;
    enum gr_err err = GR_OK;

    for (size_t i = 0; i < pairs->count && err == GR_OK; i++) {
        if (!is_named(&pairs->list[i], node))
            continue;
        seen++;
        if (seen == 2 && !(node->row->flags & GR_FIELD_REPEATED))
            return grc_walk_report(walk, &place, GR_PROBLEM_VALUE, "one value, not several");
        err = check_value(walk, &place, node, pairs->list[i].value);
    }
    return err;
}

static const struct grc_node *find_node(const struct grc_schema *schema, gr_str name)
{
    for (size_t i = 0; schema && i < schema->count; i++) {
        if (gr_str_eq((gr_str){schema->rows[i].name, schema->nodes[i].name_len}, name))
            return &schema->nodes[i];
    }
    return NULL;
}

/* Checks what holds for every path parameter, also for one without a row. */
static enum gr_err check_segment(struct grc_walk *walk, const struct grc_schema *schema,
                                 const struct gr_pair *pair)
{
    const struct grc_location place = {.name = pair->name};
    const struct grc_node *node = find_node(schema, pair->name);

    if (!grc_segment_safe(pair->value))
        return grc_walk_report(walk, &place, GR_PROBLEM_VALUE, "one path segment");
    if (pair->value.len > PATH_VALUE_MAX_BYTES && !(node && node->row->range))
        return grc_walk_report(walk, &place, GR_PROBLEM_MAX, "at most %u bytes",
                               PATH_VALUE_MAX_BYTES);
    return GR_OK;
}

enum gr_err grc_schema_check_pairs(const struct grc_schema *schema, struct gr_call *call,
                                   const char *in, const struct gr_pair *list, size_t count,
                                   struct grc_problems *problems)
{
    struct grc_walk walk = {.call = call, .problems = problems, .in = in};
    const struct pairs pairs = {list, count};
    enum gr_err err = GR_OK;

    if (schema && schema->elsewhere)
        return schema->elsewhere(call, in, problems);
    if (strcmp(in, "path") == 0) {
        for (size_t i = 0; i < count && err == GR_OK; i++)
            err = check_segment(&walk, schema, &list[i]);
    }
    if (schema && err == GR_OK)
        err = grc_walk_missing(&walk, NULL, schema, is_present, &pairs);
    for (size_t i = 0; schema && i < schema->count && err == GR_OK; i++)
        err = check_row(&walk, &schema->nodes[i], &pairs);
    if (err != GR_OK)
        return err;
    return walk.failed ? GR_ERR_INVALID : GR_OK;
}

enum gr_err grc_schema_binds_pairs(const struct grc_schema *schema, const struct gr_pair *pairs,
                                   size_t count, grc_bind_fn *visit, void *arg)
{
    enum gr_err err = GR_OK;

    for (size_t i = 0; schema && schema->binds && i < schema->count; i++) {
        const struct grc_node *node = &schema->nodes[i];
        for (size_t j = 0; j < count && node->row->binds; j++) {
            if (is_named(&pairs[j], node))
                err = visit(arg, node->row->binds, pairs[j].value);
            if (err != GR_OK)
                return err;
        }
    }
    return err;
}
