#include "doc/schema.h"

#include "validate/schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* json_object_set_new() fails only without memory. The document then lacks a member, which is
 * acceptable, since no code depends on it. */
static void put(json_t *object, const char *name, json_t *stolen)
{
    (void)json_object_set_new(object, name, stolen);
}

struct gr_field grc_field_at(const struct gr_field *rows, size_t size, size_t index)
{
    const char *at = (const char *)rows + index * size;
    struct gr_field row;

    memset(&row, 0, sizeof(row));
    memcpy(&row, at, size < sizeof(row) ? size : sizeof(row));
    return row;
}

json_t *grc_example(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    return value ? value : json_string(text);
}

static void put_type(json_t *schema, const char *type, bool null_fine)
{
    put(schema, "type", null_fine ? json_pack("[s,s]", type, "null") : json_string(type));
}

/* Makes a number; a whole one without a decimal point. */
static json_t *number(double value)
{
    if (value == floor(value) && fabs(value) < 9e15)
        return json_integer((json_int_t)value);
    return json_real(value);
}

/* The bounds of a hint go into the description, where no generated client enforces them. */
static bool is_hint(const struct gr_field *row)
{
    return row->flags & GR_FIELD_HINTS;
}

static void put_range(json_t *schema, const struct gr_field *row, const char *min, const char *max)
{
    if (is_hint(row))
        return;
    if (row->range && isfinite(row->range->min))
        put(schema, min, number(row->range->min));
    if (row->range && isfinite(row->range->max))
        put(schema, max, number(row->range->max));
}

static void put_values(json_t *schema, const struct gr_field *row, bool null_fine)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; row->values[i]; i++)
        json_array_append_new(list, json_string(row->values[i]));
    if (null_fine)
        json_array_append_new(list, json_null());
    put(schema, "enum", list);
}

/* What readers of documents (ECMA-262) do not understand of PCRE2: options inside of the pattern,
 * groups that keep what they matched, anchors by letter. */
static bool is_portable(const char *pattern)
{
    for (const char *at = pattern; *at; at++) {
        if (at[0] == '\\' && at[1]) {
            if (strchr("AzZGKQEhHRX", at[1]))
                return false;
            at++;
        } else if (at[0] == '(' && at[1] == '?' && !(at[2] && strchr(":=!<", at[2]))) {
            return false;
        } else if (at[0] == '(' && at[1] == '*') {
            return false;
        }
    }
    return true;
}

static void put_string(json_t *schema, const struct gr_field *row, bool null_fine)
{
    char *whole = NULL;

    put_range(schema, row, "minLength", "maxLength");
    if (row->values && !is_hint(row))
        put_values(schema, row, null_fine);
    if (row->pattern && !is_hint(row) && is_portable(row->pattern) &&
        asprintf(&whole, "^(?:%s)$", row->pattern) >= 0) {
        put(schema, "pattern", json_string(whole));
        free(whole);
    }
    if (row->flags & GR_FIELD_SECRET)
        put(schema, "format", json_string("password"));
}

/* The schema of .when: if the other member is present (and has the value), this one is required. */
static json_t *when_schema(const struct gr_field *row)
{
    json_t *wanted =
        row->when->value ? json_pack("{s:s}", "const", row->when->value) : json_object();

    return json_pack("{s:{s:{s:o},s:[s]},s:{s:{s:{}},s:[s]}}", "if", "properties",
                     row->when->member, wanted, "required", row->when->member, "then", "properties",
                     row->name, "required", row->name);
}

/* Adds {"required": [name]} to the alternatives of the row's group. */
static void add_alternative(json_t *groups, const struct gr_field *row)
{
    json_t *list = json_object_get(groups, row->any_of);

    if (!list) {
        list = json_array();
        put(groups, row->any_of, list);
    }
    json_array_append_new(list, json_pack("{s:[s]}", "required", row->name));
}

/* hints is GR_FIELD_HINTS when the members are only documented, else 0. */
static void put_members(json_t *schema, const struct gr_field *fields, size_t size, unsigned hints)
{
    json_t *properties = json_object();
    json_t *required = json_array();
    json_t *groups = json_object();
    json_t *all = json_array();
    struct gr_field row;
    const char *group;
    json_t *list;
    size_t i;

    for (i = 0; row = grc_field_at(fields, size, i), row.name; i++) {
        bool null_fine = hints || !(row.flags & (GR_FIELD_REQUIRED | GR_FIELD_NOT_NULL));

        row.flags |= hints;
        put(properties, row.name, grc_field_schema(&row, size, null_fine));
        if (hints)
            continue;
        if (row.flags & GR_FIELD_REQUIRED)
            json_array_append_new(required, json_string(row.name));
        if (row.when)
            json_array_append_new(all, when_schema(&row));
        if (row.any_of)
            add_alternative(groups, &row);
    }
    json_object_foreach(groups, group, list)
        json_array_append_new(all, json_pack("{s:O}", "anyOf", list));
    json_decref(groups);
    put(schema, "properties", properties);
    if (json_array_size(required) > 0)
        put(schema, "required", json_incref(required));
    if (json_array_size(all) > 0)
        put(schema, "allOf", json_incref(all));
    json_decref(required);
    json_decref(all);
}

static json_t *item_schema(const struct gr_field *items, size_t size, unsigned hints)
{
    struct gr_field item = grc_field_at(items, size, 0);

    item.flags |= hints;
    return grc_field_schema(&item, size, false);
}

static void put_container(json_t *schema, const struct gr_field *row, size_t size)
{
    unsigned hints = row->flags & GR_FIELD_HINTS;

    if (row->type == GR_OBJECT && row->fields)
        put_members(schema, row->fields, size, hints);
    if (row->type == GR_OBJECT && (row->flags & GR_FIELD_STRICT))
        put(schema, "additionalProperties", json_false());
    if (row->type == GR_ARRAY) {
        put_range(schema, row, "minItems", "maxItems");
        put(schema, "items", row->items ? item_schema(row->items, size, hints) : json_object());
    }
    if (row->type == GR_MAP) {
        put_range(schema, row, "minProperties", "maxProperties");
        put(schema, "additionalProperties",
            row->items ? item_schema(row->items, size, hints) : json_true());
    }
}

static void put_shape(json_t *schema, const struct gr_field *row, size_t size, bool null_fine)
{
    static const char *const types[] = {
        [GR_STRING] = "string", [GR_INT] = "integer", [GR_NUMBER] = "number",
        [GR_BOOL] = "boolean",  [GR_TIME] = "string", [GR_OBJECT] = "object",
        [GR_ARRAY] = "array",   [GR_MAP] = "object",  [GR_ANY] = NULL,
    };

    if (types[row->type])
        put_type(schema, types[row->type], null_fine);
    if (row->type == GR_STRING)
        put_string(schema, row, null_fine);
    if (row->type == GR_TIME)
        put(schema, "format", json_string("date-time"));
    if (row->type == GR_INT || row->type == GR_NUMBER)
        put_range(schema, row, "minimum", "maximum");
    if (row->multiple_of > 0 && !is_hint(row))
        put(schema, "multipleOf", number(row->multiple_of));
    put_container(schema, row, size);
}

static bool is_listed(const struct gr_field *row, const json_t *value)
{
    size_t i;

    for (i = 0; row->values[i]; i++) {
        if (strcmp(row->values[i], json_string_value(value)) == 0)
            return true;
    }
    return false;
}

static bool all_fit(const struct gr_field *items, size_t size, const json_t *array);

/* Whether a value is of the row's type, as readers of the document understand this type. */
static bool value_fits(const struct gr_field *row, size_t size, const json_t *value)
{
    if (!value || !grc_type_fits(row->type, value))
        return false;
    switch (row->type) {
    case GR_STRING:
    case GR_TIME:
        return !row->values || is_listed(row, value);
    case GR_ARRAY:
        return !row->items || all_fit(row->items, size, value);
    case GR_OBJECT:
    case GR_MAP:
        return json_object_size(value) == 0;
    default:
        return true;
    }
}

static bool all_fit(const struct gr_field *items, size_t size, const json_t *array)
{
    struct gr_field item = grc_field_at(items, size, 0);
    const json_t *value;
    size_t i;

    json_array_foreach(array, i, value) {
        if (!value_fits(&item, size, value))
            return false;
    }
    return true;
}

/* What the service assumes is a "default" when it is a value of the type, else it is prose. */
static json_t *default_value(const struct gr_field *row, size_t size)
{
    bool text = row->type == GR_STRING || row->type == GR_TIME;
    json_t *value =
        text ? json_string(row->default_doc) : json_loads(row->default_doc, JSON_DECODE_ANY, NULL);

    if (row->type != GR_TIME && value_fits(row, size, value))
        return value;
    json_decref(value);
    return NULL;
}

/* Appends words to a description: "…; default: 24 hours ago". Steals text. */
static char *add_words(char *text, const char *before, const char *words)
{
    char *longer = NULL;

    if (text && asprintf(&longer, "%s%s%s%s", text, *text ? "; " : "", before, words) < 0)
        longer = NULL;
    free(text);
    return longer;
}

static void put_words(json_t *schema, const struct gr_field *row, size_t size)
{
    bool bounded = row->range || row->values || row->pattern || row->multiple_of > 0;
    json_t *value = row->default_doc ? default_value(row, size) : NULL;
    char *text = strdup(row->doc ? row->doc : "");

    if (value)
        put(schema, "default", value);
    else if (row->default_doc)
        text = add_words(text, "default: ", row->default_doc);
    if (is_hint(row) && bounded) {
        char *expected = grc_schema_expected(row);
        text = add_words(text, "documented as ", expected ? expected : "");
        free(expected);
    }
    if (text && *text)
        put(schema, "description", json_string(text));
    free(text);
}

json_t *grc_field_schema(const struct gr_field *row, size_t size, bool null_fine)
{
    json_t *schema = json_object();

    put_shape(schema, row, size, null_fine);
    put_words(schema, row, size);
    if (row->example && !(row->flags & GR_FIELD_SECRET))
        put(schema, "examples", json_pack("[o]", grc_example(row->example)));
    if (row->binds)
        put(schema, "x-binds", json_string(row->binds));
    if (row->flags & GR_FIELD_DEPRECATED)
        put(schema, "deprecated", json_true());
    return schema;
}
