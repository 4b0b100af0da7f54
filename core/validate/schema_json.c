/* Checks JSON against a schema: bodies, and values that a plugin asks to have checked. */
#include "base/rfc3339.h"
#include "validate/schema_nodes.h"

#include <stdio.h>

static enum gr_err walk_value(struct grc_walk *walk, const struct grc_node *node,
                              const struct grc_location *place, const json_t *parent,
                              const json_t *value);

static gr_str text_of(const json_t *value)
{
    return (gr_str){json_string_value(value), json_string_length(value)};
}

static bool is_given(const json_t *value)
{
    return value && !json_is_null(value);
}

static bool scalar_equals(const json_t *value, const char *text)
{
    char digits[32];

    switch (json_typeof(value)) {
    case JSON_STRING:
        return gr_str_eq(text_of(value), gr_str_of(text));
    case JSON_TRUE:
        return strcmp(text, "true") == 0;
    case JSON_FALSE:
        return strcmp(text, "false") == 0;
    case JSON_INTEGER:
        snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return strcmp(text, digits) == 0;
    default:
        return false;
    }
}

/* A grc_present_fn; ctx is the object. */
static bool is_present(const void *ctx, const struct grc_node *node, const char *value)
{
    const json_t *member = json_object_getn((const json_t *)ctx, node->row->name, node->name_len);

    return is_given(member) && (!value || scalar_equals(member, value));
}

static bool is_known(const struct grc_schema *schema, const char *key, size_t key_len)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (schema->nodes[i].name_len == key_len && memcmp(schema->rows[i].name, key, key_len) == 0)
            return true;
    }
    return false;
}

static enum gr_err walk_unknown(struct grc_walk *walk, const struct grc_schema *schema,
                                const struct grc_location *up, const json_t *object)
{
    /* jansson iterates through non-const pointers but changes nothing. */
    json_t *iterated = (json_t *)(uintptr_t)object;
    enum gr_err err = GR_OK;

    for (void *it = json_object_iter(iterated); it && err == GR_OK;
         it = json_object_iter_next(iterated, it)) {
        const char *key = json_object_iter_key(it);
        size_t len = json_object_iter_key_len(it);
        const struct grc_location place = {.up = up, .name = {key, len}};
        if (!is_known(schema, key, len))
            err = grc_walk_report(walk, &place, GR_PROBLEM_UNKNOWN, "no member of this name");
    }
    return err;
}

static enum gr_err walk_object(struct grc_walk *walk, const struct grc_node *node,
                               const struct grc_location *place, const json_t *object)
{
    const struct grc_schema *schema = node->fields;

    if (!schema)
        return GR_OK;
    enum gr_err err = grc_walk_missing(walk, place, schema, is_present, object);
    for (size_t i = 0; i < schema->count && err == GR_OK; i++) {
        const struct grc_node *member = &schema->nodes[i];
        const struct grc_location at = {.up = place, .name = {member->row->name, member->name_len}};
        const json_t *value = json_object_getn(object, member->row->name, member->name_len);
        bool missing = json_is_null(value) && (member->row->flags & GR_FIELD_REQUIRED);
        if (value && !missing)
            err = walk_value(walk, member, &at, object, value);
    }
    if (err == GR_OK && (node->row->flags & GR_FIELD_STRICT))
        err = walk_unknown(walk, schema, place, object);
    return err;
}

static enum gr_err walk_item(struct grc_walk *walk, const struct grc_node *node,
                             const struct grc_location *place, const json_t *parent,
                             const json_t *value)
{
    if (json_is_null(value) && (node->row->flags & GR_FIELD_REQUIRED))
        return grc_walk_report(walk, place, GR_PROBLEM_MISSING, "required");
    return walk_value(walk, node, place, parent, value);
}

static enum gr_err walk_array(struct grc_walk *walk, const struct grc_node *node,
                              const struct grc_location *place, const json_t *array)
{
    size_t count = json_array_size(array);
    enum gr_err err = grc_walk_number(walk, place, node, (double)count);

    /* A list that is too long is one problem; its elements are not checked. */
    if (!node->items || grc_out_of_range(node, (double)count) == GR_PROBLEM_MAX)
        return err;
    for (size_t i = 0; i < count && err == GR_OK; i++) {
        const struct grc_location at = {.up = place, .index = i, .is_index = true};
        err = walk_item(walk, &node->items->nodes[0], &at, array, json_array_get(array, i));
    }
    return err;
}

static enum gr_err walk_map(struct grc_walk *walk, const struct grc_node *node,
                            const struct grc_location *place, const json_t *map)
{
    json_t *iterated = (json_t *)(uintptr_t)map; /* see walk_unknown() */
    size_t count = json_object_size(map);
    enum gr_err err = grc_walk_number(walk, place, node, (double)count);

    if (!node->items || grc_out_of_range(node, (double)count) == GR_PROBLEM_MAX)
        return err;
    for (void *it = json_object_iter(iterated); it && err == GR_OK;
         it = json_object_iter_next(iterated, it)) {
        const struct grc_location at = {
            .up = place, .name = {json_object_iter_key(it), json_object_iter_key_len(it)}};
        err = walk_item(walk, &node->items->nodes[0], &at, map, json_object_iter_value(it));
    }
    return err;
}

bool grc_type_fits(enum gr_type type, const json_t *value)
{
    switch (type) {
    case GR_STRING:
    case GR_TIME:
        return json_is_string(value);
    case GR_INT:
        return json_is_integer(value);
    case GR_NUMBER:
        return json_is_number(value);
    case GR_BOOL:
        return json_is_boolean(value);
    case GR_OBJECT:
    case GR_MAP:
        return json_is_object(value);
    case GR_ARRAY:
        return json_is_array(value);
    default:
        return true;
    }
}

/* Checks a value whose type is already known to be that of the row. */
static enum gr_err walk_typed(struct grc_walk *walk, const struct grc_node *node,
                              const struct grc_location *place, const json_t *value)
{
    switch (node->row->type) {
    case GR_STRING:
        return grc_walk_string(walk, place, node, text_of(value));
    case GR_TIME:
        if (!grc_rfc3339_parse(text_of(value), NULL))
            return grc_walk_expect(walk, place, GR_PROBLEM_VALUE, node);
        return GR_OK;
    case GR_INT:
        return grc_walk_integer(walk, place, node, json_integer_value(value));
    case GR_NUMBER:
        return grc_walk_number(walk, place, node, json_number_value(value));
    case GR_OBJECT:
        return walk_object(walk, node, place, value);
    case GR_ARRAY:
        return walk_array(walk, node, place, value);
    case GR_MAP:
        return walk_map(walk, node, place, value);
    default:
        return GR_OK;
    }
}

static enum gr_err walk_value(struct grc_walk *walk, const struct grc_node *node,
                              const struct grc_location *place, const json_t *parent,
                              const json_t *value)
{
    bool failed_before = walk->failed;

    if (json_is_null(value) && node->row->type != GR_ANY && !(node->row->flags & GR_FIELD_NOT_NULL))
        return GR_OK;
    if (json_is_null(value) && (node->row->flags & GR_FIELD_NOT_NULL))
        return grc_walk_expect(walk, place, GR_PROBLEM_TYPE, node);
    if (!grc_type_fits(node->row->type, value))
        return grc_walk_expect(walk, place, GR_PROBLEM_TYPE, node);
    walk->failed = false;
    enum gr_err err = GR_OK;
    if (!grc_is_hint(node))
        err = walk_typed(walk, node, place, value);
    if (err == GR_OK && !walk->failed && node->row->check)
        err = grc_walk_check(walk, place, node, parent, value);
    walk->failed = walk->failed || failed_before;
    return err;
}

/* Checks a value that is not there. A container counts as an empty one. */
static enum gr_err walk_absent(struct grc_walk *walk, const struct grc_node *node)
{
    if (node->row->flags & GR_FIELD_REQUIRED)
        return grc_walk_report(walk, NULL, GR_PROBLEM_MISSING, "required");
    if (node->row->type >= GR_OBJECT && !grc_is_hint(node))
        return walk_typed(walk, node, NULL, NULL);
    return GR_OK;
}

static enum gr_err walk_single(struct grc_walk *walk, const struct grc_node *node,
                               const json_t *value)
{
    if (!value)
        return walk_absent(walk, node);
    /* Unlike a member, the whole value cannot be left out as null. */
    if (json_is_null(value) && node->row->type != GR_ANY)
        return grc_walk_expect(walk, NULL, GR_PROBLEM_TYPE, node);
    return walk_value(walk, node, NULL, NULL, value);
}

static enum gr_err walk_members(struct grc_walk *walk, const struct grc_schema *schema,
                                const json_t *value)
{
    static const struct gr_field row = {.type = GR_OBJECT};
    const struct grc_node node = {.row = &row, .fields = (struct grc_schema *)(uintptr_t)schema};

    if (value && !json_is_object(value))
        return grc_walk_report(walk, NULL, GR_PROBLEM_TYPE, "an object");
    return walk_object(walk, &node, NULL, value);
}

enum gr_err grc_schema_check_json(const struct grc_schema *schema, struct gr_call *call,
                                  const json_t *value, struct grc_problems *problems)
{
    struct grc_walk walk = {.call = call, .problems = problems, .in = "body"};

    if (schema->elsewhere)
        return schema->elsewhere(call, walk.in, problems);
    enum gr_err err = schema->single ? walk_single(&walk, &schema->nodes[0], value)
                                     : walk_members(&walk, schema, value);

    if (err != GR_OK)
        return err;
    return walk.failed ? GR_ERR_INVALID : GR_OK;
}

/* --- values that callers are bound to --- */

static enum gr_err bind_value(const struct grc_node *node, const json_t *value, grc_bind_fn *visit,
                              void *arg);

static enum gr_err bind_members(const struct grc_schema *schema, const json_t *object,
                                grc_bind_fn *visit, void *arg)
{
    enum gr_err err = GR_OK;

    if (!schema->binds)
        return GR_OK;
    for (size_t i = 0; i < schema->count && err == GR_OK; i++) {
        const struct grc_node *node = &schema->nodes[i];
        err =
            bind_value(node, json_object_getn(object, node->row->name, node->name_len), visit, arg);
    }
    return err;
}

static enum gr_err bind_items(const struct grc_schema *schema, const json_t *value,
                              grc_bind_fn *visit, void *arg)
{
    json_t *iterated = (json_t *)(uintptr_t)value; /* see walk_unknown() */
    enum gr_err err = GR_OK;

    if (!schema->binds)
        return GR_OK;
    for (size_t i = 0; i < json_array_size(value) && err == GR_OK; i++)
        err = bind_value(&schema->nodes[0], json_array_get(value, i), visit, arg);
    for (void *it = json_object_iter(iterated); it && err == GR_OK;
         it = json_object_iter_next(iterated, it))
        err = bind_value(&schema->nodes[0], json_object_iter_value(it), visit, arg);
    return err;
}

static enum gr_err bind_value(const struct grc_node *node, const json_t *value, grc_bind_fn *visit,
                              void *arg)
{
    char digits[32];

    if (!is_given(value))
        return GR_OK;
    if (node->row->binds && json_is_string(value))
        return visit(arg, node->row->binds, text_of(value));
    if (node->row->binds && json_is_integer(value)) {
        snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return visit(arg, node->row->binds, gr_str_of(digits));
    }
    if (node->fields)
        return bind_members(node->fields, value, visit, arg);
    return node->items ? bind_items(node->items, value, visit, arg) : GR_OK;
}

enum gr_err grc_schema_binds_json(const struct grc_schema *schema, const json_t *value,
                                  grc_bind_fn *visit, void *arg)
{
    if (!schema->binds)
        return GR_OK;
    return schema->single ? bind_value(&schema->nodes[0], value, visit, arg)
                          : bind_members(schema, value, visit, arg);
}
