/* The checks of JSON and of pairs share these parts: problems, bounds, presence. */
#include "base/utf8.h"
#include "validate/schema_nodes.h"

/* The longest name in a problem's `where`. Clients choose the keys of maps, so it needs a limit. */
#define NAME_MAX_BYTES 64u
#define WHERE_MAX_BYTES 512u
#define FIRST_PROBLEMS 8u

/* Makes room for one more problem in the list. */
static enum gr_err grow(struct grc_problems *problems)
{
    if (problems->count < problems->cap)
        return GR_OK;
    size_t cap = problems->cap ? problems->cap * 2 : FIRST_PROBLEMS;
    if (cap > problems->max)
        cap = problems->max;
    struct gr_problem *list = grc_arena_alloc(problems->arena, cap * sizeof(*list));
    if (!list)
        return GR_ERR_NO_MEMORY;
    if (problems->count)
        memcpy(list, problems->list, problems->count * sizeof(*list));
    problems->list = list;
    problems->cap = cap;
    return GR_OK;
}

__attribute__((format(printf, 5, 0))) static enum gr_err
add_problem(struct grc_problems *problems, const char *in, const char *where,
            enum gr_problem_kind kind, const char *format, va_list args)
{
    if (problems->count >= problems->max) {
        problems->total++;
        return GR_OK;
    }
    enum gr_err err = grow(problems);
    if (err != GR_OK)
        return err;
    struct gr_problem problem = {
        .in = in,
        .where = grc_arena_copy(problems->arena, gr_str_of(where)),
        .kind = kind,
        .expected = grc_arena_vformat(problems->arena, format, args),
    };
    if (!problem.where || !problem.expected)
        return GR_ERR_NO_MEMORY;
    problems->list[problems->count++] = problem;
    problems->total++;
    return GR_OK;
}

enum gr_err grc_problem_add(struct grc_problems *problems, const char *in, const char *where,
                            enum gr_problem_kind kind, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    enum gr_err err = add_problem(problems, in, where, kind, format, args);
    va_end(args);
    return err;
}

/* --- where --- */

/* Adds a name in which control characters become '?'. A long one is cut and ends in "...". */
static enum gr_err add_name(struct grc_buf *buf, gr_str name)
{
    size_t at = 0;
    enum gr_err err = GR_OK;

    while (at < name.len && err == GR_OK) {
        size_t step = grc_utf8_step(name.ptr + at, name.len - at);
        bool clean =
            step > 1 || (step == 1 && (unsigned char)name.ptr[at] >= 0x20 && name.ptr[at] != 0x7f);
        if (at + step > NAME_MAX_BYTES)
            return grc_buf_text(buf, "...");
        err = clean ? grc_buf_add(buf, name.ptr + at, step) : grc_buf_char(buf, '?');
        at += step ? step : 1;
    }
    return err;
}

static enum gr_err add_place(struct grc_buf *buf, const struct grc_location *place)
{
    if (!place)
        return GR_OK;
    enum gr_err err = add_place(buf, place->up);
    if (err != GR_OK)
        return err;
    if (place->is_index)
        return grc_buf_format(buf, "[%zu]", place->index);
    if (buf->len > 0 && place->up)
        err = grc_buf_char(buf, '.');
    return err == GR_OK ? add_name(buf, place->name) : err;
}

enum gr_err grc_walk_report(struct grc_walk *walk, const struct grc_location *place,
                            enum gr_problem_kind kind, const char *format, ...)
{
    struct grc_buf where;
    va_list args;

    walk->failed = true;
    if (walk->problems->count >= walk->problems->max) {
        walk->problems->total++;
        return GR_OK;
    }
    grc_buf_init(&where, WHERE_MAX_BYTES);
    /* What does not fit is cut off. */
    enum gr_err err = add_place(&where, place);
    if (err != GR_ERR_NO_MEMORY) {
        va_start(args, format);
        err = add_problem(walk->problems, walk->in, where.ptr ? where.ptr : "", kind, format, args);
        va_end(args);
    }
    grc_buf_done(&where);
    return err;
}

enum gr_err grc_walk_expect(struct grc_walk *walk, const struct grc_location *place,
                            enum gr_problem_kind kind, const struct grc_node *node)
{
    return grc_walk_report(walk, place, kind, "%s", node->expected);
}

/* --- values whose type is right --- */

int grc_out_of_range(const struct grc_node *node, double value)
{
    const struct gr_range *range = node->row->range;

    if (!range)
        return 0;
    if (value < range->min)
        return GR_PROBLEM_MIN;
    return value > range->max ? GR_PROBLEM_MAX : 0;
}

enum gr_err grc_walk_number(struct grc_walk *walk, const struct grc_location *place,
                            const struct grc_node *node, double value)
{
    int kind = grc_is_hint(node) ? 0 : grc_out_of_range(node, value);

    return kind ? grc_walk_expect(walk, place, (enum gr_problem_kind)kind, node) : GR_OK;
}

enum gr_err grc_walk_integer(struct grc_walk *walk, const struct grc_location *place,
                             const struct grc_node *node, int64_t value)
{
    int kind = grc_out_of_range(node, (double)value);

    if (grc_is_hint(node))
        return GR_OK;
    if (!kind && node->row->multiple_of > 0 && value % (int64_t)node->row->multiple_of != 0)
        kind = GR_PROBLEM_VALUE;
    return kind ? grc_walk_expect(walk, place, (enum gr_problem_kind)kind, node) : GR_OK;
}

static bool is_listed(const char *const *values, gr_str value)
{
    for (size_t i = 0; values[i]; i++) {
        if (gr_str_eq(gr_str_of(values[i]), value))
            return true;
    }
    return false;
}

enum gr_err grc_walk_string(struct grc_walk *walk, const struct grc_location *place,
                            const struct grc_node *node, gr_str value)
{
    int kind = node->row->range ? grc_out_of_range(node, (double)grc_utf8_count(value)) : 0;

    if (grc_is_hint(node))
        return GR_OK;
    if (!kind && node->row->values && !is_listed(node->row->values, value))
        kind = GR_PROBLEM_VALUE;
    /* The pattern comes last, so that it only sees texts of an accepted length. */
    if (!kind && node->pattern) {
        enum gr_err err = grc_pattern_match(node->pattern, value);
        if (err == GR_ERR_INVALID)
            kind = GR_PROBLEM_VALUE;
        else if (err != GR_OK)
            return err;
    }
    return kind ? grc_walk_expect(walk, place, (enum gr_problem_kind)kind, node) : GR_OK;
}

/* Puts the place of a value before the place that its .check function gave. */
static enum gr_err place_problem(struct grc_walk *walk, const struct grc_location *place,
                                 struct gr_problem *problem)
{
    struct grc_buf where;
    enum gr_err err;

    grc_buf_init(&where, WHERE_MAX_BYTES);
    err = add_place(&where, place);
    if (err == GR_OK && where.len && problem->where[0] && problem->where[0] != '[')
        err = grc_buf_char(&where, '.');
    if (err == GR_OK)
        err = grc_buf_text(&where, problem->where);
    /* What does not fit is cut off. */
    if (err != GR_ERR_NO_MEMORY) {
        problem->where = grc_arena_copy(walk->problems->arena, grc_buf_view(&where));
        problem->in = walk->in;
        err = problem->where ? GR_OK : GR_ERR_NO_MEMORY;
    }
    grc_buf_done(&where);
    return err;
}

enum gr_err grc_walk_check(struct grc_walk *walk, const struct grc_location *place,
                           const struct grc_node *node, const json_t *parent, const json_t *value)
{
    size_t before = walk->problems->count;
    enum gr_err err = node->row->check(walk->call, parent, value);

    if (err != GR_ERR_INVALID)
        return err;
    walk->failed = true;
    for (size_t i = before; i < walk->problems->count; i++) {
        err = place_problem(walk, place, &walk->problems->list[i]);
        if (err != GR_OK)
            return err;
    }
    return GR_OK;
}

/* --- members that are not there --- */

static enum gr_err report_group(struct grc_walk *walk, const struct grc_location *place,
                                const struct grc_schema *schema, size_t group)
{
    struct grc_buf names;
    enum gr_err err = GR_OK;

    grc_buf_init(&names, WHERE_MAX_BYTES);
    for (size_t i = group; i < schema->count && err == GR_OK; i++) {
        if (schema->nodes[i].group == group)
            err = grc_buf_format(&names, "%s'%s'", i > group ? ", " : "", schema->rows[i].name);
    }
    if (err != GR_ERR_NO_MEMORY)
        err = grc_walk_report(walk, place, GR_PROBLEM_MISSING, "at least one of %s", names.ptr);
    grc_buf_done(&names);
    return err;
}

static enum gr_err check_group(struct grc_walk *walk, const struct grc_location *place,
                               const struct grc_schema *schema, size_t group,
                               grc_present_fn *present, const void *ctx)
{
    for (size_t i = group; i < schema->count; i++) {
        if (schema->nodes[i].group == group && present(ctx, &schema->nodes[i], NULL))
            return GR_OK;
    }
    return report_group(walk, place, schema, group);
}

enum gr_err grc_walk_missing(struct grc_walk *walk, const struct grc_location *up,
                             const struct grc_schema *schema, grc_present_fn *present,
                             const void *ctx)
{
    enum gr_err err = GR_OK;

    for (size_t i = 0; i < schema->count && err == GR_OK; i++) {
        const struct grc_node *node = &schema->nodes[i];
        const struct gr_when *when = node->row->when;
        const struct grc_location place = {.up = up, .name = {node->row->name, node->name_len}};

        if (node->group == i) {
            err = check_group(walk, &place, schema, i, present, ctx);
        } else if (node->row->flags & GR_FIELD_REQUIRED) {
            if (!present(ctx, node, NULL))
                err = grc_walk_report(walk, &place, GR_PROBLEM_MISSING, "required");
        } else if (when && present(ctx, &schema->nodes[node->when], when->value) &&
                   !present(ctx, node, NULL)) {
            err = when->value
                      ? grc_walk_report(walk, &place, GR_PROBLEM_MISSING,
                                        "required when '%s' is '%s'", when->member, when->value)
                      : grc_walk_report(walk, &place, GR_PROBLEM_MISSING,
                                        "required when '%s' is given", when->member);
        }
    }
    return err;
}
