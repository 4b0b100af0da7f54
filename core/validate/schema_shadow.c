/*
 * Finds names that an upstream may take for the name of a row with .binds. Decoders differ: some
 * ignore case, some take "roomId" for "room_id", some read "room_id[]" as "room_id", and when two
 * names are the same to them, most keep the last value. A value that was checked here under one
 * name must not be replaced behind the gateway by a value under another.
 */
#include "validate/schema_nodes.h"

/* Reads one character of a name as the most lenient decoder would, and moves *at behind it. Returns
 * 0 where the name ends for that decoder. */
static unsigned char next_folded(gr_str name, size_t *at)
{
    while (*at < name.len) {
        unsigned char c = (unsigned char)name.ptr[(*at)++];

        if (c == '_' || c == '-')
            continue;
        if (c == '[' || c == '.' || c == ' ')
            return 0;
        if (c >= 'A' && c <= 'Z')
            return (unsigned char)(c - 'A' + 'a');
        /* Two letters outside of ASCII fold to ASCII letters: U+017F and U+212A (Unicode,
         * CaseFolding.txt). */
        if (c == 0xc5 && name.len - *at >= 1 && memcmp(name.ptr + *at, "\xbf", 1) == 0) {
            *at += 1;
            return 's';
        }
        if (c == 0xe2 && name.len - *at >= 2 && memcmp(name.ptr + *at, "\x84\xaa", 2) == 0) {
            *at += 2;
            return 'k';
        }
        return c;
    }
    return 0;
}

static bool fold_alike(gr_str a, gr_str b)
{
    size_t at_a = 0;
    size_t at_b = 0;
    unsigned char c;

    do {
        c = next_folded(a, &at_a);
        if (c != next_folded(b, &at_b))
            return false;
    } while (c);
    return true;
}

static gr_str name_of(const struct grc_node *node)
{
    return (gr_str){node->row->name, node->name_len};
}

/* True for a row with .binds, and for a row above one. */
static bool leads_to_binds(const struct grc_node *node)
{
    return node->row->binds || (node->fields && node->fields->binds) ||
           (node->items && node->items->binds);
}

/* Returns the name of the row that this other name may be taken for; NULL when there is none. */
static const char *shadowed(const struct grc_schema *schema, gr_str name)
{
    const char *found = NULL;

    for (size_t i = 0; i < schema->count; i++) {
        const struct grc_node *node = &schema->nodes[i];

        if (gr_str_eq(name_of(node), name))
            return NULL; /* the exact name of a row */
        if (!found && leads_to_binds(node) && fold_alike(name_of(node), name))
            found = node->row->name;
    }
    return found;
}

const char *grc_schema_shadow_pairs(const struct grc_schema *schema, const struct gr_pair *pairs,
                                    size_t count, gr_str *ret_name)
{
    const char *found = NULL;

    for (size_t i = 0; schema && schema->binds && !found && i < count; i++) {
        found = shadowed(schema, pairs[i].name);
        *ret_name = pairs[i].name;
    }
    return found;
}

static const char *shadow_value(const struct grc_node *node, const json_t *value, gr_str *ret_name);

static const char *shadow_members(const struct grc_schema *schema, const json_t *object,
                                  gr_str *ret_name)
{
    const char *found = NULL;
    const char *name;
    json_t *value;

    if (!schema->binds || !json_is_object(object))
        return NULL;
    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        *ret_name = gr_str_of(name);
        found = shadowed(schema, *ret_name);
        if (found)
            return found;
    }
    for (size_t i = 0; i < schema->count && !found; i++)
        found = shadow_value(&schema->nodes[i], json_object_get(object, schema->nodes[i].row->name),
                             ret_name);
    return found;
}

static const char *shadow_items(const struct grc_schema *schema, const json_t *value,
                                gr_str *ret_name)
{
    const char *found = NULL;
    const char *name;
    json_t *item;
    size_t i;

    if (!schema->binds)
        return NULL;
    json_array_foreach(value, i, item) {
        found = shadow_value(&schema->nodes[0], item, ret_name);
        if (found)
            return found;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, item) {
        found = shadow_value(&schema->nodes[0], item, ret_name);
        if (found)
            return found;
    }
    return NULL;
}

/* The nesting of the rows bounds the recursion. */
static const char *shadow_value(const struct grc_node *node, const json_t *value, gr_str *ret_name)
{
    if (node->fields)
        return shadow_members(node->fields, value, ret_name);
    return node->items ? shadow_items(node->items, value, ret_name) : NULL;
}

const char *grc_schema_shadow_json(const struct grc_schema *schema, const json_t *value,
                                   gr_str *ret_name)
{
    return schema->single ? shadow_value(&schema->nodes[0], value, ret_name)
                          : shadow_members(schema, value, ret_name);
}
