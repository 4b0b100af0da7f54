/* Collections, rows and members of the state document. See sandbox.h. */
#include "sandbox.h"

json_t *sb_all(struct sandbox *sb, const char *collection)
{
    json_t *all = json_object_get(sb->root, collection);

    if (all)
        return all;
    sb_set(sb, sb->root, collection, json_object());
    return json_object_get(sb->root, collection);
}

json_t *sb_find(struct sandbox *sb, const char *collection, gr_str id)
{
    return id.len ? json_object_getn(json_object_get(sb->root, collection), id.ptr, id.len) : NULL;
}

json_t *sb_put(struct sandbox *sb, const char *collection, const char *id, json_t *stolen)
{
    sb_set(sb, sb_all(sb, collection), id, stolen);
    return sb_find_text(sb, collection, id);
}

void sb_drop(struct sandbox *sb, const char *collection, const char *id)
{
    sb_unset(sb, json_object_get(sb->root, collection), id);
}

void sb_trim(struct sandbox *sb, const char *collection, size_t keep)
{
    json_t *all = sb_all(sb, collection);

    while (json_object_size(all) > keep) {
        void *first = json_object_iter(all);
        char *key = first ? strdup(json_object_iter_key(first)) : NULL;

        if (!key) {
            sb->failed = true;
            return;
        }
        sb_unset(sb, all, key);
        free(key);
    }
}

void sb_set(struct sandbox *sb, json_t *object, const char *name, json_t *stolen)
{
    sb->change++;
    /* On failure jansson releases the value itself, and a NULL value is a failure. */
    if (json_object_set_new(object, name, stolen))
        sb->failed = true;
}

void sb_append(struct sandbox *sb, json_t *array, json_t *stolen)
{
    sb->change++;
    if (json_array_append_new(array, stolen))
        sb->failed = true;
}

void sb_unset(struct sandbox *sb, json_t *object, const char *name)
{
    if (json_object_get(object, name) && json_object_del(object, name) == 0)
        sb->change++;
}

json_t *sb_pack(struct sandbox *sb, const char *format, ...)
{
    json_t *value;
    va_list args;

    va_start(args, format);
    value = json_vpack_ex(NULL, 0, format, args);
    va_end(args);
    if (!value)
        sb->failed = true;
    return value;
}

json_t *sb_copy(struct sandbox *sb, const json_t *value)
{
    json_t *copy = json_deep_copy(value);

    if (!copy)
        sb->failed = true;
    return copy;
}

json_t *sb_view(struct sandbox *sb, const json_t *row)
{
    json_t *view = sb_pack(sb, "{}");
    const char *name;
    json_t *value;

    json_object_foreach(sb_mutable(row), name, value) {
        if (name[0] != '.' && json_object_set_new(view, name, json_deep_copy(value)))
            sb->failed = true;
    }
    return view;
}

void sb_fill(struct sandbox *sb, json_t *target, const json_t *defaults)
{
    const char *name;
    json_t *value;

    json_object_foreach(sb_mutable(defaults), name, value) {
        json_t *present = json_object_get(target, name);

        if (!present)
            sb_set(sb, target, name, sb_copy(sb, value));
        else if (json_is_object(present) && json_is_object(value))
            sb_fill(sb, present, value);
    }
}

void sb_take(struct sandbox *sb, json_t *to, const json_t *from, const char *const *names)
{
    for (; *names; names++) {
        const json_t *value = json_object_get(from, *names);

        if (value && !json_is_null(value))
            sb_set(sb, to, *names, sb_copy(sb, value));
    }
}

const char *sb_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

int64_t sb_int(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

bool sb_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

bool sb_is(const json_t *object, const char *name, gr_str value)
{
    return gr_str_eq(gr_str_of(sb_text(object, name)), value);
}
