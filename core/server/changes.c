#include "server/changes.h"

#include <stdbool.h>

/* "FILE: PATH" as the key of an object. */
static json_t *index_of(const json_t *list)
{
    json_t *index = json_object();
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry) {
        json_t *key = json_sprintf("%s: %s", json_string_value(json_object_get(entry, "file")),
                                   json_string_value(json_object_get(entry, "path")));

        (void)json_object_set(index, json_string_value(key), entry);
        json_decref(key);
    }
    return index;
}

/* An entry without a digest has no value. */
static bool same(const json_t *one, const json_t *other)
{
    const json_t *digest = json_object_get(one, "digest");
    const json_t *against = json_object_get(other, "digest");

    return digest && against ? json_equal(digest, against) : digest == against;
}

static void add(json_t *changes, const json_t *before, const json_t *after)
{
    const json_t *either = after ? after : before;

    json_array_append_new(
        changes,
        json_pack("{s:O, s:O, s:O*, s:O*, s:O*}", "file", json_object_get(either, "file"), "path",
                  json_object_get(either, "path"), "before", json_object_get(before, "value"),
                  "after", json_object_get(after, "value"), "at", json_object_get(after, "at")));
}

json_t *grc_changes(const json_t *before, const json_t *after)
{
    json_t *old = index_of(before);
    json_t *new = index_of(after);
    json_t *changes = json_array();
    const char *key;
    json_t *entry;

    json_object_foreach(new, key, entry) {
        const json_t *was = json_object_get(old, key);

        if (!was || !same(was, entry))
            add(changes, was, entry);
    }
    json_object_foreach(old, key, entry) {
        if (!json_object_get(new, key))
            add(changes, entry, NULL);
    }
    json_decref(old);
    json_decref(new);
    return changes;
}
