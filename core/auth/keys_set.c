/* The keys of one reading of the file, in one arena. */
#include "auth/keys_use.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "base/scope.h"
#include "base/secure.h"

#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 8u
#define SET_BYTES_MAX (64u << 20)
#define NAME_MAX_BYTES 128u
#define LIST_MAX 1000u

struct grc_key_set {
    _Atomic unsigned refs;
    struct grc_arena arena;
    struct grc_api_key *keys;
    size_t count;
    struct grc_api_key **index; /* open addressing; its size is a power of two; at most half full */
    size_t index_mask;
};

/* --- references --- */

struct grc_key_set *grc_key_set_ref(struct grc_key_set *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void grc_key_set_unref(struct grc_key_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    grc_arena_done(&set->arena);
    free(set);
}

size_t grc_key_set_count(const struct grc_key_set *set)
{
    return set->count;
}

struct grc_api_key *grc_key_set_at(struct grc_key_set *set, size_t index)
{
    return &set->keys[index];
}

/* --- the index --- */

/* The gateway makes the ids in the table, so no client can choose ids that collide. */
static size_t hash_of(gr_str id)
{
    return (size_t)grc_hash(0, id);
}

struct grc_api_key *grc_key_set_find(struct grc_key_set *set, gr_str id)
{
    for (size_t at = hash_of(id) & set->index_mask; set->index[at];
         at = (at + 1) & set->index_mask) {
        if (gr_str_eq(gr_str_of(set->index[at]->id), id))
            return set->index[at];
    }
    return NULL;
}

static bool index_new(struct grc_key_set *set, size_t count)
{
    size_t size = 2;

    while (size < 2 * count + 1)
        size *= 2;
    set->index = grc_arena_alloc(&set->arena, size * sizeof(struct grc_api_key *));
    set->index_mask = size - 1;
    return set->index != NULL;
}

static void index_add(struct grc_key_set *set, struct grc_api_key *key)
{
    size_t at = hash_of(gr_str_of(key->id)) & set->index_mask;

    while (set->index[at])
        at = (at + 1) & set->index_mask;
    set->index[at] = key;
}

/* --- parsing: each function returns NULL, or what is wrong --- */

static const char *copy_text(struct grc_arena *arena, const json_t *value)
{
    gr_str text = {json_string_value(value), json_string_length(value)};

    return grc_arena_copy(arena, text);
}

static const char *parse_list(struct grc_arena *arena, const json_t *value, bool scopes,
                              const char *const **ret_list)
{
    const char **list;

    if (!json_is_array(value) || json_array_size(value) > LIST_MAX)
        return "a list is missing, too long, or not a list";
    list = grc_arena_alloc(arena, (json_array_size(value) + 1) * sizeof(*list));
    if (!list)
        return "out of memory";
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);

        if (!json_is_string(item) || json_string_length(item) == 0)
            return "a list holds something other than non-empty strings";
        list[i] = copy_text(arena, item);
        if (!list[i])
            return "out of memory";
        if (scopes && !grc_scope_valid(gr_str_of(list[i])))
            return "a scope is not like rooms:read, rooms:* or *";
    }
    *ret_list = list;
    return NULL;
}

static const char *parse_bindings(struct grc_arena *arena, const json_t *value,
                                  const struct grc_binding **ret_bindings)
{
    json_t *object = (json_t *)(uintptr_t)value; /* jansson's iterators are not const */
    struct grc_binding *list;
    size_t count = 0;
    const char *kind;
    json_t *values;

    if (!value)
        return NULL;
    if (!json_is_object(value) || json_object_size(value) > 16)
        return "bindings: expected an object";
    list = grc_arena_alloc(arena, (json_object_size(value) + 1) * sizeof(*list));
    if (!list)
        return "out of memory";
    json_object_foreach(object, kind, values) {
        const char *wrong = parse_list(arena, values, false, &list[count].values);

        if (wrong)
            return wrong;
        list[count].kind = grc_arena_copy(arena, gr_str_of(kind));
        if (!list[count++].kind)
            return "out of memory";
    }
    *ret_bindings = count ? list : NULL;
    return NULL;
}

static bool parse_time(const json_t *value, int64_t *ret_ms)
{
    if (!value)
        return true;
    return json_is_string(value) &&
           grc_rfc3339_parse((gr_str){json_string_value(value), json_string_length(value)}, ret_ms);
}

static bool parse_digest(const json_t *value, unsigned char ret_digest[32])
{
    const gr_str text = {json_string_value(value), json_string_length(value)};

    return grc_unhex(text, ret_digest, 32);
}

/* Ids are compared as texts, so their digits are lower case. */
static bool id_valid(const json_t *value)
{
    const char *text = json_string_value(value);

    return json_string_length(value) == GRC_KEY_ID_LEN &&
           strspn(text, "0123456789abcdef") == GRC_KEY_ID_LEN;
}

static const char *parse_key(struct grc_arena *arena, const json_t *record, struct grc_api_key *key)
{
    const json_t *name = json_object_get(record, "name");
    const char *wrong;

    if (!id_valid(json_object_get(record, "id")))
        return "id: expected 12 hex digits";
    if (!json_is_string(name) || json_string_length(name) == 0 ||
        json_string_length(name) > NAME_MAX_BYTES)
        return "name: expected a text of 1 to 128 bytes";
    if (!parse_digest(json_object_get(record, "hash"), key->digest))
        return "hash: expected 64 hex digits";
    if (!parse_time(json_object_get(record, "created"), &key->created_ms) ||
        !parse_time(json_object_get(record, "expires"), &key->expires_ms) ||
        !parse_time(json_object_get(record, "revoked"), &key->revoked_ms))
        return "expected RFC 3339 times";
    key->id = copy_text(arena, json_object_get(record, "id"));
    key->caller.provider = "keys";
    key->caller.id = gr_str_of(copy_text(arena, name));
    if (!key->id || !key->caller.id.ptr)
        return "out of memory";
    wrong = parse_list(arena, json_object_get(record, "scopes"), true, &key->caller.scopes);
    return wrong
               ? wrong
               : parse_bindings(arena, json_object_get(record, "bindings"), &key->caller.bindings);
}

static const char *parse_keys(struct grc_key_set *set, const json_t *list, size_t *ret_at)
{
    size_t count = json_array_size(list);

    if (!json_is_array(list) || count > GRC_KEYS_MAX)
        return "keys: expected a list";
    set->keys = grc_arena_alloc(&set->arena, (count + 1) * sizeof(*set->keys));
    if (!set->keys || !index_new(set, count))
        return "out of memory";
    for (; *ret_at < count; (*ret_at)++) {
        struct grc_api_key *key = &set->keys[*ret_at];
        const char *wrong = parse_key(&set->arena, json_array_get(list, *ret_at), key);

        if (wrong)
            return wrong;
        if (grc_key_set_find(set, gr_str_of(key->id)))
            return "id: another key has the same";
        index_add(set, key);
        set->count++;
    }
    return NULL;
}

/* Returns false with a malloc'ed reason in ret_reason (NULL without memory). */
static bool parse_root(struct grc_key_set *set, const json_t *root, char **ret_reason)
{
    size_t at = 0;

    if (json_integer_value(json_object_get(root, "version")) != 1)
        return grc_refuse(ret_reason, "version: expected 1");
    const char *wrong = parse_keys(set, json_object_get(root, "keys"), &at);
    return !wrong || grc_refuse(ret_reason, "keys[%zu]: %s", at, wrong);
}

struct grc_key_set *grc_key_set_parse(gr_str text, char **ret_reason)
{
    struct grc_key_set *set = calloc(1, sizeof(*set));
    const char *reason = NULL;
    json_t *root;

    if (!set)
        return NULL;
    atomic_init(&set->refs, 1);
    grc_arena_init(&set->arena, SET_BYTES_MAX);
    root = grc_json_parse(text, DEPTH_MAX, &reason);
    if (!root)
        *ret_reason = strdup(reason ? reason : "not JSON");
    if (!root || !parse_root(set, root, ret_reason)) {
        grc_key_set_unref(set);
        set = NULL;
    }
    json_decref(root);
    return set;
}

/* --- last use --- */

char *grc_keys_beside(const char *path, const char *suffix)
{
    return grc_format("%s%s", path, suffix);
}

void grc_key_set_read_use(struct grc_key_set *set, const char *path)
{
    char *beside = grc_keys_beside(path, GRC_KEYS_USE_SUFFIX);
    size_t len = 0;
    const char *reason;
    char *text = beside ? grc_file_read(beside, GRC_KEYS_FILE_MAX, &len, &reason) : NULL;
    json_t *root = text ? grc_json_parse((gr_str){text, len}, DEPTH_MAX, &reason) : NULL;

    for (size_t i = 0; i < set->count; i++) {
        struct grc_api_key *key = &set->keys[i];
        int64_t used_ms = 0;

        if (parse_time(json_object_get(root, key->id), &used_ms) &&
            used_ms > atomic_load(&key->used_ms))
            atomic_store(&key->used_ms, used_ms);
    }
    json_decref(root);
    free(text);
    free(beside);
}

bool grc_key_set_write_use(struct grc_key_set *set, const char *path)
{
    char *beside = grc_keys_beside(path, GRC_KEYS_USE_SUFFIX);
    json_t *root = json_object();
    char *text = NULL;
    bool done = false;

    grc_key_set_read_use(set, path);
    for (size_t i = 0; root && i < set->count; i++) {
        int64_t used_ms = atomic_load(&set->keys[i].used_ms);
        char time[25];

        grc_time_format(used_ms, time);
        if (used_ms)
            (void)json_object_set_new(root, set->keys[i].id, json_string(time));
    }
    if (root)
        text = json_dumps(root, JSON_INDENT(1));
    if (text && beside)
        done = grc_file_write(beside, gr_str_of(text), 0600);
    free(text);
    json_decref(root);
    free(beside);
    return done;
}
