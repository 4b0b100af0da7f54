/* Documents made from the rows: defaults as JSON, the JSON schema, the reference. */
#include "config/setting.h"

#include <math.h>
#include <stdio.h>

/* --- texts as JSON --- */

static json_t *parse_list(const char *text)
{
    json_t *list;

    if (text[0] == '[')
        return json_loads(text, 0, NULL);
    list = json_array();
    while (list && text[0]) {
        size_t len = strcspn(text, ",");
        size_t skip = strspn(text, " ");
        size_t end = len;

        while (end > skip && text[end - 1] == ' ')
            end--;
        if (end > skip)
            json_array_append_new(list, json_stringn(text + skip, end - skip));
        text += len + (text[len] == ',' ? 1 : 0);
    }
    return list;
}

json_t *grc_setting_parse(const struct grc_setting *key, const char *text)
{
    switch (key->type) {
    case GRC_SETTING_LIST:
        return parse_list(text);
    case GRC_SETTING_JSON:
    case GRC_SETTING_RAW:
    case GRC_SETTING_OBJECT:
    case GRC_SETTING_MAP:
        return json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    case GRC_SETTING_CUSTOM:
        if (text[0] == '[' || text[0] == '{')
            return json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        return json_string(text);
    default:
        return json_string(text);
    }
}

json_t *grc_setting_fallback(const struct grc_setting *key)
{
    return key->fallback ? grc_setting_parse(key, key->fallback) : NULL;
}

/* --- JSON schema --- */

/* json_object_set_new() fails only without memory. The schema then lacks a member, which is
 * acceptable: it is a document, and no code depends on it. */
static void put(json_t *object, const char *name, json_t *stolen)
{
    (void)json_object_set_new(object, name, stolen);
}

static json_t *typed(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

static void put_bounds(json_t *schema, const struct grc_setting *key, const char *min,
                       const char *max)
{
    if (key->range && isfinite(key->range->min))
        put(schema, min, json_integer((json_int_t)key->range->min));
    if (key->range && isfinite(key->range->max))
        put(schema, max, json_integer((json_int_t)key->range->max));
}

static void put_values(json_t *schema, const struct grc_setting *key)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; key->values && key->values[i]; i++)
        json_array_append_new(list, json_string(key->values[i]));
    put(schema, "enum", list);
}

/* Allows the value, or a text with a variable that stands for it. */
static json_t *or_variable(json_t *stolen)
{
    return json_pack("{s:[o,{s:s,s:s}]}", "anyOf", stolen, "type", "string", "pattern", "\\$\\{");
}

static json_t *number_schema(const struct grc_setting *key)
{
    json_t *number = typed("integer");

    put_bounds(number, key, "minimum", "maximum");
    if (key->type == GRC_SETTING_INT)
        return or_variable(number);
    return json_pack("{s:[o,{s:s,s:s}]}", "anyOf", number, "type", "string", "pattern",
                     key->type == GRC_SETTING_MS ? "^[0-9]+(ms|s|m|h|d)?$|\\$\\{"
                                                 : "^[0-9]+[kmg]?$|\\$\\{");
}

static json_t *string_schema(const struct grc_setting *key)
{
    json_t *schema = typed("string");

    if (key->values) {
        put_values(schema, key);
        return or_variable(schema);
    }
    put_bounds(schema, key, "minLength", "maxLength");
    return schema;
}

static json_t *secret_schema(void)
{
    return json_pack("{s:[{s:s},{s:s,s:{s:{s:s}},s:[s],s:b}]}", "anyOf", "type", "string", "type",
                     "object", "properties", "file", "type", "string", "required", "file",
                     "additionalProperties", 0);
}

static json_t *list_schema(const struct grc_setting *key)
{
    json_t *item = typed("string");

    if (key->values)
        put_values(item, key);
    return json_pack("{s:s,s:o}", "type", "array", "items", item);
}

static json_t *map_schema(const struct grc_setting *key)
{
    char pattern[64];

    snprintf(pattern, sizeof(pattern), "^[A-Za-z0-9_.%s-]{1,64}$",
             key->map->more ? key->map->more : "");
    return json_pack("{s:s,s:{s:s},s:o}", "type", "object", "propertyNames", "pattern", pattern,
                     "additionalProperties", grc_setting_rows_schema(key->keys));
}

static json_t *type_schema(const struct grc_setting *key)
{
    switch (key->type) {
    case GRC_SETTING_BOOL:
        return or_variable(typed("boolean"));
    case GRC_SETTING_INT:
    case GRC_SETTING_MS:
    case GRC_SETTING_BYTES:
        return number_schema(key);
    case GRC_SETTING_STRING:
    case GRC_SETTING_CHOICE:
    case GRC_SETTING_FLAG:
        return string_schema(key);
    case GRC_SETTING_SECRET:
        return secret_schema();
    case GRC_SETTING_LIST:
        return list_schema(key);
    case GRC_SETTING_RAW:
        return typed("object");
    case GRC_SETTING_OBJECT:
        return grc_setting_rows_schema(key->keys);
    case GRC_SETTING_MAP:
        return map_schema(key);
    case GRC_SETTING_CUSTOM:
        return json_loads(key->schema, 0, NULL);
    case GRC_SETTING_NOTE:
        return typed("string");
    case GRC_SETTING_JSON:
        break;
    }
    return key->schema ? json_loads(key->schema, 0, NULL) : json_object();
}

/* The default, with a number or a boolean as itself and not as a string. */
static json_t *default_schema(const struct grc_setting *key)
{
    json_t *value = grc_setting_fallback(key);
    json_t *plain = NULL;

    if (json_is_string(value) && (key->type == GRC_SETTING_BOOL || key->type == GRC_SETTING_INT))
        plain = json_loads(json_string_value(value), JSON_DECODE_ANY, NULL);
    if (!plain)
        return value;
    json_decref(value);
    return plain;
}

static json_t *key_schema(const struct grc_setting *key)
{
    json_t *schema = type_schema(key);
    json_t *fallback = default_schema(key);

    if (key->optional)
        schema = json_pack("{s:[o,{s:s}]}", "anyOf", schema, "type", "null");
    if (key->doc)
        put(schema, "description", json_string(key->doc));
    if (fallback)
        put(schema, "default", fallback);
    return schema;
}

json_t *grc_setting_rows_schema(const struct grc_setting *keys)
{
    json_t *properties = json_object();
    json_t *required = json_array();
    json_t *schema;

    for (; keys->name; keys++) {
        put(properties, keys->name, key_schema(keys));
        if (!keys->fallback && !keys->optional && !keys->env && keys->type != GRC_SETTING_OBJECT &&
            keys->type != GRC_SETTING_NOTE)
            json_array_append_new(required, json_string(keys->name));
    }
    schema = json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties,
                       "additionalProperties", 0);
    if (json_array_size(required) > 0)
        put(schema, "required", required);
    else
        json_decref(required);
    return schema;
}

/* --- reference --- */

/* Adds text to a cell of a table. A '|' is escaped, since it would end the cell. */
static enum gr_err add_cell(struct grc_buf *buf, const char *text)
{
    enum gr_err err = GR_OK;

    for (; *text && err == GR_OK; text++)
        err = *text == '|' ? grc_buf_text(buf, "\\|") : grc_buf_char(buf, *text);
    return err;
}

static enum gr_err add_default(struct grc_buf *buf, const struct grc_setting *key)
{
    enum gr_err err;

    if (!key->fallback)
        return grc_buf_text(buf, key->optional ? "none" : "required");
    if (!key->fallback[0])
        return grc_buf_text(buf, "empty");
    err = grc_buf_char(buf, '`');
    if (err == GR_OK)
        err = add_cell(buf, key->fallback);
    return err == GR_OK ? grc_buf_char(buf, '`') : err;
}

static enum gr_err add_row(struct grc_buf *buf, const char *prefix, const struct grc_setting *key)
{
    char expected[512];
    enum gr_err err;

    grc_setting_expected(key, expected, sizeof(expected));
    err = grc_buf_format(buf, "| `%s%s` | ", prefix, key->name);
    if (err == GR_OK)
        err = add_cell(buf, expected);
    if (err == GR_OK)
        err = grc_buf_text(buf, " | ");
    if (err == GR_OK)
        err = add_default(buf, key);
    if (err == GR_OK)
        err = grc_buf_text(buf, " | ");
    if (err == GR_OK)
        err = add_cell(buf, key->doc ? key->doc : "");
    if (err == GR_OK && key->env)
        err = grc_buf_format(buf, " (or the environment variable `%s`)", key->env);
    return err == GR_OK ? grc_buf_text(buf, " |\n") : err;
}

void grc_setting_rows_visit(const char *prefix, const struct grc_setting *keys,
                            grc_setting_visit_fn *visit, void *arg)
{
    for (; keys->name; keys++) {
        const char *joint = keys->type == GRC_SETTING_MAP ? ".NAME." : ".";
        struct grc_buf below;

        if (keys->type == GRC_SETTING_NOTE)
            continue;
        if (keys->type != GRC_SETTING_OBJECT && keys->type != GRC_SETTING_MAP) {
            visit(arg, prefix, keys);
            continue;
        }
        grc_buf_init(&below, 1024);
        if (grc_buf_format(&below, "%s%s%s", prefix, keys->name, joint) == GR_OK)
            grc_setting_rows_visit(below.ptr, keys->keys, visit, arg);
        grc_buf_done(&below);
    }
}

struct table {
    struct grc_buf *buf;
    enum gr_err err;
};

static void add_to_table(void *arg, const char *prefix, const struct grc_setting *key)
{
    struct table *table = arg;

    if (table->err == GR_OK)
        table->err = add_row(table->buf, prefix, key);
}

enum gr_err grc_setting_rows_markdown(struct grc_buf *buf, const char *prefix,
                                      const struct grc_setting *keys)
{
    struct table table = {.buf = buf, .err = GR_OK};

    grc_setting_rows_visit(prefix, keys, add_to_table, &table);
    return table.err;
}
