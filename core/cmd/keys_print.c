#include "cmd/keys_print.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "cmd/cmd.h"

static json_t *time_json(int64_t ms)
{
    char text[25];

    if (!ms)
        return json_null();
    grc_time_format(ms, text);
    return json_string(text);
}

static const char *state_of(const struct grc_api_key *key, int64_t now_ms)
{
    if (key->revoked_ms)
        return "revoked";
    return key->expires_ms && key->expires_ms <= now_ms ? "expired" : "works";
}

static json_t *key_json(struct grc_api_key *key, int64_t now_ms)
{
    json_t *bindings = json_object();

    for (const struct grc_binding *at = key->caller.bindings; at && at->kind; at++)
        json_object_set_new(bindings, at->kind, grc_json_list(at->values));
    return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "name", key->caller.id.ptr, "id",
                     key->id, "state", state_of(key, now_ms), "scopes",
                     grc_json_list(key->caller.scopes), "bindings", bindings, "created",
                     time_json(key->created_ms), "expires", time_json(key->expires_ms), "revoked",
                     time_json(key->revoked_ms), "used", time_json(atomic_load(&key->used_ms)));
}

static int print_json(struct grc_key_set *set, int64_t now_ms)
{
    json_t *list = json_array();

    for (size_t i = 0; i < grc_key_set_count(set); i++)
        json_array_append_new(list, key_json(grc_key_set_at(set, i), now_ms));
    return grc_print_json(list);
}

static const char *cell_time(struct grc_arena *arena, int64_t ms)
{
    char text[25];

    if (!ms)
        return NULL;
    grc_time_format(ms, text);
    return grc_arena_copy(arena, (gr_str){text, 16}); /* to the minute */
}

static const char *cell_bindings(struct grc_arena *arena, const struct grc_binding *binding)
{
    const char *text = NULL;

    for (; binding && binding->kind; binding++) {
        for (const char *const *value = binding->values; *value; value++)
            text = grc_arena_format(arena, "%s%s%s=%s", text ? text : "", text ? " " : "",
                                    binding->kind, *value);
    }
    return text;
}

static const char *cell_scopes(struct grc_arena *arena, const char *const *scopes)
{
    const char *text = NULL;

    for (; *scopes; scopes++)
        text = grc_arena_format(arena, "%s%s%s", text ? text : "", text ? " " : "", *scopes);
    return text;
}

static int print_table(struct grc_key_set *set, int64_t now_ms)
{
    static const char *const head[] = {"NAME",     "ID",      "STATE",   "SCOPES",
                                       "BOUND TO", "CREATED", "EXPIRES", "LAST USED"};
    struct grc_table table = {.columns = 8};
    struct grc_arena arena;
    bool made = grc_table_add(&table, head);

    grc_arena_init(&arena, (size_t)64 << 20);
    for (size_t i = 0; made && i < grc_key_set_count(set); i++) {
        struct grc_api_key *key = grc_key_set_at(set, i);
        const char *const cells[] = {
            key->caller.id.ptr,
            key->id,
            state_of(key, now_ms),
            cell_scopes(&arena, key->caller.scopes),
            cell_bindings(&arena, key->caller.bindings),
            cell_time(&arena, key->created_ms),
            cell_time(&arena, key->expires_ms),
            cell_time(&arena, atomic_load(&key->used_ms)),
        };

        made = grc_table_add(&table, cells);
    }
    int status = grc_table_finish(&table, made);
    grc_arena_done(&arena);
    return status;
}

int grc_keys_print(struct grc_key_set *set, bool json, int64_t now_ms)
{
    return json ? print_json(set, now_ms) : print_table(set, now_ms);
}
