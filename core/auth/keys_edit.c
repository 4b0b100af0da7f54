/* Edits the document of API keys, which is a file or the rows of the store. */
#include "auth/keys_use.h"

#include "base/clock.h"
#include "base/format.h"
#include "base/rfc3339.h"
#include "base/scope.h"
#include "base/secure.h"

#include <stdio.h>

json_t *grc_key_document(void)
{
    return json_pack("{s:i, s:[]}", "version", 1, "keys");
}

/* --- records --- */

static bool has_time(const json_t *record, const char *name, int64_t *ret_ms)
{
    const json_t *value = json_object_get(record, name);

    return json_is_string(value) &&
           grc_rfc3339_parse((gr_str){json_string_value(value), json_string_length(value)}, ret_ms);
}

static bool works(const json_t *record, int64_t now_ms)
{
    int64_t expires_ms = 0;

    return !json_object_get(record, "revoked") &&
           (!has_time(record, "expires", &expires_ms) || expires_ms > now_ms);
}

static bool is_called(const json_t *record, const char *who)
{
    return strcmp(json_string_value(json_object_get(record, "id")), who) == 0 ||
           strcmp(json_string_value(json_object_get(record, "name")), who) == 0;
}

static json_t *time_json(int64_t ms)
{
    char text[25];

    grc_time_format(ms, text);
    return json_string(text);
}

static json_t *list_json(const char *const *list)
{
    json_t *array = json_array();

    for (; array && *list; list++) {
        if (json_array_append_new(array, json_string(*list)) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

/* Makes the text of a new key, its id, and the hash to keep. */
static void make_key(char ret_text[GRC_KEY_TEXT_MAX], char ret_id[GRC_KEY_ID_LEN + 1],
                     char ret_hash[65])
{
    unsigned char id[GRC_KEY_ID_LEN / 2];
    unsigned char secret[GRC_KEY_SECRET_BYTES];
    unsigned char digest[32];
    char secret_text[44]; /* base64url of 32 bytes */

    grc_random(id, sizeof(id));
    grc_random(secret, sizeof(secret));
    grc_hex(id, sizeof(id), ret_id);
    grc_b64url(secret, sizeof(secret), secret_text);
    snprintf(ret_text, GRC_KEY_TEXT_MAX, GRC_KEY_PREFIX "%s_%s", ret_id, secret_text);
    grc_sha256(gr_str_of(ret_text), digest);
    grc_hex(digest, sizeof(digest), ret_hash);
    grc_wipe(secret, sizeof(secret));
    grc_wipe(secret_text, sizeof(secret_text));
}

/* Appends a record; steals scopes and bindings (which may be NULL). */
static bool append(json_t *document, const char *name, json_t *scopes, json_t *bindings,
                   int64_t expires_ms, int64_t now_ms, char ret_text[GRC_KEY_TEXT_MAX])
{
    char id[GRC_KEY_ID_LEN + 1];
    char hash[65];
    json_t *record;

    make_key(ret_text, id, hash);
    record = json_pack("{s:s,s:s,s:s,s:o,s:o,s:o*,s:o*}", "id", id, "name", name, "hash", hash,
                       "scopes", scopes, "created", time_json(now_ms), "expires",
                       expires_ms ? time_json(expires_ms) : NULL, "bindings", bindings);
    return record && json_array_append_new(json_object_get(document, "keys"), record) == 0;
}

static json_t *bindings_json(const struct grc_key_wish *wish)
{
    json_t *bindings = json_object();

    if (wish->rooms && wish->rooms[0])
        (void)json_object_set_new(bindings, "room", list_json(wish->rooms));
    if (wish->roles && wish->roles[0])
        (void)json_object_set_new(bindings, "role", list_json(wish->roles));
    if (json_object_size(bindings) > 0)
        return bindings;
    json_decref(bindings);
    return NULL;
}

/* Allows names that stay readable in listings, logs and on a command line. */
static bool name_valid(const char *name)
{
    static const char fine[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@:/+";
    size_t len = strlen(name);

    return len > 0 && len <= 64 && strspn(name, fine) == len && name[0] != '-';
}

bool grc_key_wish_valid(const struct grc_key_wish *wish, char **ret_reason)
{
    size_t i;

    if (!name_valid(wish->name))
        return grc_refuse(ret_reason,
                          "'%s' is not a name: expected 1 to 64 letters, digits and . _ - @ : / +",
                          wish->name);
    if (!wish->scopes[0])
        return grc_refuse(ret_reason,
                          "a key without a scope may do nothing: give one with --scope");
    for (i = 0; wish->scopes[i]; i++) {
        if (!grc_scope_valid(gr_str_of(wish->scopes[i])))
            return grc_refuse(ret_reason,
                              "'%s' is not a scope: expected one like rooms:read, rooms:* or *",
                              wish->scopes[i]);
    }
    return true;
}

bool grc_key_document_add(json_t *document, const struct grc_key_wish *wish, int64_t now_ms,
                          char ret_text[GRC_KEY_TEXT_MAX], char **ret_reason)
{
    const json_t *record;
    size_t i;

    if (!grc_key_wish_valid(wish, ret_reason))
        return false;
    json_array_foreach(json_object_get(document, "keys"), i, record) {
        if (is_called(record, wish->name) && works(record, now_ms))
            return grc_refuse(ret_reason,
                              "a key called '%s' exists: revoke or rotate it, or take "
                              "another name",
                              wish->name);
    }
    if (!append(document, wish->name, list_json(wish->scopes), bindings_json(wish),
                wish->expires_ms, now_ms, ret_text))
        return grc_refuse(ret_reason, "out of memory");
    return true;
}

size_t grc_key_document_revoke(json_t *document, const char *who, int64_t now_ms)
{
    json_t *record;
    size_t i;
    size_t count = 0;

    json_array_foreach(json_object_get(document, "keys"), i, record) {
        if (is_called(record, who) && works(record, now_ms) &&
            json_object_set_new(record, "revoked", time_json(now_ms)) == 0)
            count++;
    }
    return count;
}

/* Finds the only valid key with this name or id. */
static json_t *find_one(json_t *document, const char *who, int64_t now_ms, char **ret_reason)
{
    json_t *found = NULL;
    json_t *record;
    size_t i;

    json_array_foreach(json_object_get(document, "keys"), i, record) {
        if (!is_called(record, who) || !works(record, now_ms))
            continue;
        if (found) {
            grc_refuse(ret_reason, "several keys are called '%s': name one by its id", who);
            return NULL;
        }
        found = record;
    }
    if (!found)
        grc_refuse(ret_reason, "no valid key has the name or id '%s'", who);
    return found;
}

bool grc_key_document_rotate(json_t *document, const char *who, int64_t keep_ms, int64_t now_ms,
                             char ret_text[GRC_KEY_TEXT_MAX], char **ret_reason)
{
    json_t *old = find_one(document, who, now_ms, ret_reason);
    int64_t old_ms = 0;
    int64_t created_ms = now_ms;

    if (!old)
        return false;
    /* The new key has the same lifetime as the old one had. */
    (void)has_time(old, "created", &created_ms);
    int64_t expires_ms = has_time(old, "expires", &old_ms) ? now_ms + (old_ms - created_ms) : 0;
    if ((!old_ms || old_ms > now_ms + keep_ms) &&
        json_object_set_new(old, "expires", time_json(now_ms + keep_ms)) != 0)
        return grc_refuse(ret_reason, "out of memory");
    json_t *bindings = json_object_get(old, "bindings");
    if (!append(document, json_string_value(json_object_get(old, "name")),
                json_deep_copy(json_object_get(old, "scopes")),
                bindings ? json_deep_copy(bindings) : NULL, expires_ms, now_ms, ret_text))
        return grc_refuse(ret_reason, "out of memory");
    return true;
}

size_t grc_key_document_prune(json_t *document, int64_t now_ms)
{
    json_t *keys = json_object_get(document, "keys");
    size_t count = 0;

    for (size_t i = json_array_size(keys); i-- > 0;) {
        if (!works(json_array_get(keys, i), now_ms))
            count += json_array_remove(keys, i) == 0;
    }
    return count;
}

/* --- taking over --- */

static json_t *with_id(const json_t *document, const char *id)
{
    json_t *record;
    size_t i;

    json_array_foreach(json_object_get(document, "keys"), i, record) {
        if (strcmp(json_string_value(json_object_get(record, "id")), id) == 0)
            return record;
    }
    return NULL;
}

static bool name_is_taken(const json_t *document, const char *name, int64_t now_ms)
{
    const json_t *record;
    size_t i;

    json_array_foreach(json_object_get(document, "keys"), i, record) {
        if (strcmp(json_string_value(json_object_get(record, "name")), name) == 0 &&
            works(record, now_ms))
            return true;
    }
    return false;
}

bool grc_key_document_take(json_t *document, const json_t *other, int64_t now_ms, size_t *ret_moved,
                           size_t *ret_there, char **ret_reason)
{
    /* Keys of one name that were rotated are taken together, so names are compared with what was
     * there before. */
    json_t *before = json_deep_copy(document);
    json_t *record;
    size_t i;
    bool fine = before != NULL;

    *ret_moved = *ret_there = 0;
    json_array_foreach(json_object_get(other, "keys"), i, record) {
        const char *name = json_string_value(json_object_get(record, "name"));
        json_t *there =
            fine ? with_id(document, json_string_value(json_object_get(record, "id"))) : NULL;
        json_t *revoked = json_object_get(record, "revoked");

        if (!fine)
            break;
        *ret_there += there != NULL;
        *ret_moved += there == NULL;
        if (!there && works(record, now_ms) && name_is_taken(before, name, now_ms)) {
            fine = grc_refuse(ret_reason,
                              "the store has another valid key called '%s': revoke one of the two",
                              name);
        } else if (!there) {
            fine = json_array_append_new(json_object_get(document, "keys"),
                                         json_deep_copy(record)) == 0;
        } else if (revoked && !json_object_get(there, "revoked")) {
            fine = json_object_set(there, "revoked", revoked) == 0;
        }
    }
    json_decref(before);
    if (!fine && !*ret_reason)
        grc_refuse(ret_reason, "out of memory");
    return fine;
}
