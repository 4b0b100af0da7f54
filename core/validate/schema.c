/* Compiles rows: copies them to the host's size and refuses rows that make no sense. */
#include "base/format.h"
#include "validate/schema_nodes.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX 1000u
#define PATH_MAX_BYTES 256u
#define ALL_FLAGS                                                                                  \
    ((unsigned)(GR_FIELD_REQUIRED | GR_FIELD_NOT_NULL | GR_FIELD_SECRET | GR_FIELD_REPEATED |      \
                GR_FIELD_STRIP | GR_FIELD_STRICT | GR_FIELD_HINTS | GR_FIELD_DEPRECATED))

struct compiler {
    size_t field_size;
    char *reason;
    /* The rows from the outermost to the current one, for the reason. */
    const struct gr_field *path[GRC_SCHEMA_DEPTH_MAX + 1];
    unsigned depth;
};

static struct grc_schema *compile_rows(struct compiler *compiler, const struct gr_field *rows,
                                       bool single);

/* "questions.options[].weight", or "the value" for a row without a name. */
static void row_path(const struct compiler *compiler, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < compiler->depth && used < size; i++) {
        const char *name = compiler->path[i]->name;
        int n = 0;
        if (name)
            n = snprintf(text + used, size - used, "%s%s", used ? "." : "", name);
        else if (i > 0)
            n = snprintf(text + used, size - used, "[]");
        used += n > 0 ? (size_t)n : 0;
    }
}

/* Keeps the first reason. Always returns false. */
static bool refuse(struct compiler *compiler, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(struct compiler *compiler, const char *format, ...)
{
    char path[PATH_MAX_BYTES];
    va_list args;

    if (compiler->reason)
        return false;
    va_start(args, format);
    char *what = grc_format_args(format, args);
    va_end(args);
    row_path(compiler, path, sizeof(path));
    if (!what)
        return false;
    compiler->reason =
        path[0] ? grc_format("row '%s': %s", path, what) : grc_format("the row: %s", what);
    free(what);
    return false;
}

/* --- checks of one row --- */

static bool check_range(struct compiler *compiler, const struct gr_field *row)
{
    if (!row->range)
        return true;
    if (row->type == GR_ANY || row->type == GR_BOOL || row->type == GR_TIME ||
        row->type == GR_OBJECT)
        return refuse(compiler, ".range does not fit its type");
    if (!(row->range->min <= row->range->max)) /* also NaN */
        return refuse(compiler, ".range has a minimum above its maximum");
    bool counts = row->type == GR_STRING || row->type == GR_ARRAY || row->type == GR_MAP;
    if (counts && row->range->max < 0)
        return refuse(compiler, ".range allows no length");
    return true;
}

static bool check_values(struct compiler *compiler, const struct gr_field *row)
{
    if (!row->values)
        return true;
    if (row->type != GR_STRING)
        return refuse(compiler, ".values needs GR_STRING");
    if (!row->values[0])
        return refuse(compiler, ".values is empty");
    for (size_t i = 0; row->values[i]; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(row->values[i], row->values[j]) == 0)
                return refuse(compiler, ".values has '%s' twice", row->values[i]);
        }
    }
    return true;
}

static bool check_flags(struct compiler *compiler, const struct gr_field *row)
{
    if (row->flags & ~ALL_FLAGS)
        return refuse(compiler, ".flags has unknown bits 0x%x", row->flags & ~ALL_FLAGS);
    if ((row->flags & GR_FIELD_STRICT) && (row->type != GR_OBJECT || !row->fields))
        return refuse(compiler, "GR_FIELD_STRICT needs GR_OBJECT with .fields");
    if ((row->flags & GR_FIELD_STRICT) && (row->flags & GR_FIELD_HINTS))
        return refuse(compiler, "GR_FIELD_STRICT beside GR_FIELD_HINTS");
    if ((row->flags & GR_FIELD_REPEATED) && row->type >= GR_OBJECT)
        return refuse(compiler, "GR_FIELD_REPEATED does not fit its type");
    if ((row->flags & GR_FIELD_REQUIRED) && (row->when || row->any_of))
        return refuse(compiler, "GR_FIELD_REQUIRED beside .when or .any_of");
    if (row->when && row->any_of)
        return refuse(compiler, ".when beside .any_of");
    return true;
}

static bool check_shape(struct compiler *compiler, const struct gr_field *row)
{
    if (row->fields && row->type != GR_OBJECT)
        return refuse(compiler, ".fields needs GR_OBJECT");
    if (row->items && row->type != GR_ARRAY && row->type != GR_MAP)
        return refuse(compiler, ".items needs GR_ARRAY or GR_MAP");
    if (row->pattern && row->type != GR_STRING)
        return refuse(compiler, ".pattern needs GR_STRING");
    if (!grc_is_whole(row->multiple_of) || row->multiple_of < 0)
        return refuse(compiler, ".multiple_of is not a whole number of 1 or more");
    if (row->multiple_of > 0 && row->type != GR_INT)
        return refuse(compiler, ".multiple_of needs GR_INT");
    if (row->binds && row->type != GR_STRING && row->type != GR_INT)
        return refuse(compiler, ".binds needs GR_STRING or GR_INT");
    if (row->binds && !row->binds[0])
        return refuse(compiler, ".binds is empty");
    return true;
}

static bool check_example(struct compiler *compiler, const struct gr_field *row)
{
    json_error_t error;

    if (!row->example)
        return true;
    json_t *value = json_loads(row->example, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!value)
        return refuse(compiler, ".example is not JSON: %s", error.text);
    json_decref(value);
    return true;
}

static bool check_row(struct compiler *compiler, const struct gr_field *row, bool single)
{
    if (row->type < GR_ANY || row->type > GR_MAP)
        return refuse(compiler, "unknown type %d", (int)row->type);
    if (single && (row->when || row->any_of))
        return refuse(compiler, ".when and .any_of need siblings");
    if (!single && !row->name[0])
        return refuse(compiler, "its name is empty");
    if (!single && (!row->doc || !row->doc[0]))
        return refuse(compiler, ".doc is missing");
    return check_flags(compiler, row) && check_range(compiler, row) &&
           check_values(compiler, row) && check_shape(compiler, row) &&
           check_example(compiler, row);
}

/* --- checks between siblings --- */

static bool link_when(struct compiler *compiler, const struct grc_schema *schema, size_t index)
{
    struct grc_node *node = &schema->nodes[index];

    if (!node->row->when)
        return true;
    if (!node->row->when->member)
        return refuse(compiler, ".when names no member");
    for (size_t i = 0; i < schema->count; i++) {
        if (i != index && strcmp(schema->rows[i].name, node->row->when->member) == 0) {
            node->when = i;
            return true;
        }
    }
    return refuse(compiler, ".when names '%s', which is not a sibling", node->row->when->member);
}

static bool link_group(struct compiler *compiler, const struct grc_schema *schema, size_t index)
{
    const char *group = schema->rows[index].any_of;
    size_t first = GRC_SCHEMA_NO_GROUP;
    size_t members = 0;

    for (size_t i = 0; group && i < schema->count; i++) {
        if (!schema->rows[i].any_of || strcmp(schema->rows[i].any_of, group) != 0)
            continue;
        if (members == 0)
            first = i;
        members++;
    }
    if (members == 1)
        return refuse(compiler, ".any_of '%s' has no other row", group);
    schema->nodes[index].group = first;
    return true;
}

static bool check_unique(struct compiler *compiler, const struct grc_schema *schema, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(schema->rows[i].name, schema->rows[index].name) == 0)
            return refuse(compiler, "another row has the same name");
    }
    return true;
}

static bool link_siblings(struct compiler *compiler, const struct grc_schema *schema)
{
    bool ok = true;

    for (size_t i = 0; i < schema->count && ok; i++) {
        compiler->path[compiler->depth++] = &schema->rows[i];
        ok = check_unique(compiler, schema, i) && link_when(compiler, schema, i) &&
             link_group(compiler, schema, i);
        compiler->depth--;
    }
    return ok;
}

/* --- compiling --- */

static bool compile_pattern(struct compiler *compiler, struct grc_node *node)
{
    char *reason = NULL;

    if (!node->row->pattern)
        return true;
    node->pattern = grc_pattern_new(node->row->pattern, &reason);
    if (!node->pattern)
        refuse(compiler, ".pattern: %s", reason ? reason : "out of memory");
    free(reason);
    return node->pattern != NULL;
}

static bool compile_children(struct compiler *compiler, struct grc_node *node, struct gr_field *row)
{
    if ((row->fields || row->items) && compiler->depth == GRC_SCHEMA_DEPTH_MAX)
        return refuse(compiler, "rows are nested more than %u levels", GRC_SCHEMA_DEPTH_MAX);
    if (row->fields) {
        node->fields = compile_rows(compiler, row->fields, false);
        if (!node->fields)
            return false;
        row->fields = node->fields->rows;
    }
    if (row->items) {
        node->items = compile_rows(compiler, row->items, true);
        if (!node->items)
            return false;
        row->items = node->items->rows;
    }
    return true;
}

static bool does_more_than_check(const struct grc_schema *schema)
{
    return schema && (schema->binds || schema->strips);
}

static bool compile_node(struct compiler *compiler, struct grc_schema *schema, size_t index)
{
    struct gr_field *row = &schema->rows[index];
    struct grc_node *node = &schema->nodes[index];

    node->row = row;
    node->name_len = row->name ? strlen(row->name) : 0;
    node->group = GRC_SCHEMA_NO_GROUP;
    if (!check_row(compiler, row, schema->single) || !compile_pattern(compiler, node) ||
        !compile_children(compiler, node, row))
        return false;
    if ((row->flags & GR_FIELD_HINTS) &&
        (does_more_than_check(node->fields) || does_more_than_check(node->items)))
        return refuse(compiler, "GR_FIELD_HINTS above rows with .binds or GR_FIELD_STRIP");
    struct gr_field plain = {.type = row->type};
    node->expected = grc_schema_expected(row->flags & GR_FIELD_HINTS ? &plain : row);
    if (!node->expected)
        return refuse(compiler, "out of memory");
    schema->binds = schema->binds || row->binds || (node->fields && node->fields->binds) ||
                    (node->items && node->items->binds);
    schema->strips = schema->strips || (row->flags & GR_FIELD_STRIP) ||
                     (node->fields && node->fields->strips) || (node->items && node->items->strips);
    schema->checks = schema->checks || row->check || (node->fields && node->fields->checks) ||
                     (node->items && node->items->checks);
    return true;
}

/* Copies a row of the plugin's size to one of the host's size: members the plugin's lacks stay
 * zero. */
static struct gr_field copy_row(const struct compiler *compiler, const struct gr_field *rows,
                                size_t index)
{
    struct gr_field row = {0};
    size_t size = compiler->field_size < sizeof(row) ? compiler->field_size : sizeof(row);

    memcpy(&row, (const char *)rows + index * compiler->field_size, size);
    return row;
}

/* Returns the number of rows before GR_END, or SIZE_MAX after it has refused the table. */
static size_t count_rows(struct compiler *compiler, const struct gr_field *rows)
{
    for (size_t i = 0; i <= ROWS_MAX; i++) {
        struct gr_field row = copy_row(compiler, rows, i);
        if (!row.name && !row.type)
            return i;
        if (!row.name) {
            refuse(compiler, "row %zu of its table has no name", i + 1);
            return SIZE_MAX;
        }
    }
    refuse(compiler, "the table has more than %u rows, GR_END may be missing", ROWS_MAX);
    return SIZE_MAX;
}

static struct grc_schema *compile_rows(struct compiler *compiler, const struct gr_field *rows,
                                       bool single)
{
    size_t count = single ? 1 : count_rows(compiler, rows);
    if (count == SIZE_MAX)
        return NULL;
    struct grc_schema *schema = calloc(1, sizeof(*schema));
    if (!schema)
        return NULL;
    schema->rows = calloc(count + 1, sizeof(*schema->rows));
    schema->nodes = calloc(count + 1, sizeof(*schema->nodes));
    schema->single = single;
    bool ok = schema->rows && schema->nodes;
    for (size_t i = 0; i < count && ok; i++) {
        schema->rows[i] = copy_row(compiler, rows, i);
        schema->count = i + 1;
        compiler->path[compiler->depth++] = &schema->rows[i];
        ok = compile_node(compiler, schema, i);
        compiler->depth--;
    }
    if (!ok || (!single && !link_siblings(compiler, schema))) {
        grc_schema_free(schema);
        return NULL;
    }
    return schema;
}

static struct grc_schema *compile(const struct gr_field *rows, size_t field_size, bool single,
                                  char **ret_reason)
{
    struct compiler compiler = {.field_size = field_size};
    struct grc_schema *schema = compile_rows(&compiler, rows, single);

    if (!schema)
        *ret_reason = compiler.reason ? compiler.reason : strdup("out of memory");
    return schema;
}

struct grc_schema *grc_schema_members(const struct gr_field *rows, size_t field_size,
                                      char **ret_reason)
{
    return compile(rows, field_size, false, ret_reason);
}

struct grc_schema *grc_schema_value(const struct gr_field *row, size_t field_size,
                                    char **ret_reason)
{
    return compile(row, field_size, true, ret_reason);
}

void grc_schema_free(struct grc_schema *schema)
{
    if (!schema)
        return;
    for (size_t i = 0; schema->nodes && i < schema->count; i++) {
        struct grc_node *node = &schema->nodes[i];
        grc_pattern_free(node->pattern);
        free(node->expected);
        grc_schema_free(node->fields);
        grc_schema_free(node->items);
    }
    free(schema->nodes);
    free(schema->rows);
    free(schema);
}

const char *grc_schema_not_flat(const struct grc_schema *schema)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (schema->rows[i].type >= GR_OBJECT)
            return schema->rows[i].name;
    }
    return NULL;
}

bool grc_schema_strips(const struct grc_schema *schema)
{
    return schema->strips;
}

const struct gr_field *grc_schema_rows(const struct grc_schema *schema)
{
    return schema->rows;
}

bool grc_schema_has_checks(const struct grc_schema *schema)
{
    return schema && schema->checks;
}

void grc_schema_check_elsewhere(struct grc_schema *schema, grc_elsewhere_fn *fn)
{
    schema->elsewhere = fn;
}
