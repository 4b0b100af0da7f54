/* Removes the members that are meant for the gateway and must not reach the upstream. */
#include "validate/schema_nodes.h"

static json_t *strip_value(const struct grc_node *node, json_t *value);

/* Replaces a member of a copy by its stripped form. */
static bool strip_member(json_t *copy, const char *key, size_t len, const struct grc_node *node)
{
    json_t *member = json_object_getn(copy, key, len);

    if (!member)
        return true;
    if (node->row->flags & GR_FIELD_STRIP)
        return json_object_deln(copy, key, len) == 0;
    return json_object_setn_new_nocheck(copy, key, len, strip_value(node, member)) == 0;
}

static bool strip_members(const struct grc_schema *schema, json_t *copy)
{
    bool ok = true;

    for (size_t i = 0; i < schema->count && ok; i++) {
        const struct grc_node *node = &schema->nodes[i];
        ok = strip_member(copy, node->row->name, node->name_len, node);
    }
    return ok;
}

static bool strip_items(const struct grc_schema *schema, json_t *copy)
{
    const struct grc_node *item = &schema->nodes[0];
    bool ok = true;

    for (size_t i = 0; i < json_array_size(copy) && ok; i++)
        ok = json_array_set_new(copy, i, strip_value(item, json_array_get(copy, i))) == 0;
    for (void *it = json_object_iter(copy); it && ok; it = json_object_iter_next(copy, it))
        ok = json_object_iter_set_new(copy, it, strip_value(item, json_object_iter_value(it))) == 0;
    return ok;
}

/* Returns a new reference; NULL without memory. */
static json_t *strip_value(const struct grc_node *node, json_t *value)
{
    bool members = node->fields && node->fields->strips && json_is_object(value);
    bool items = node->items && node->items->strips;

    if (!members && !items)
        return json_incref(value);
    json_t *copy = json_copy(value);
    if (!copy)
        return NULL;
    if (members ? strip_members(node->fields, copy) : strip_items(node->items, copy))
        return copy;
    json_decref(copy);
    return NULL;
}

json_t *grc_schema_strip(const struct grc_schema *schema, const json_t *value)
{
    json_t *shared = (json_t *)(uintptr_t)value; /* only its count of references changes */

    if (schema->single)
        return strip_value(&schema->nodes[0], shared);
    json_t *copy = json_copy(shared);
    if (copy && !strip_members(schema, copy)) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}
