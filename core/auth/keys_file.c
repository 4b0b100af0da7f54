/* Edits the file of API keys: locks it, checks it, and writes it as a whole. */
#include "auth/keys_use.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "base/scope.h"
#include "base/secure.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 8u

/* --- opening and saving --- */

void grc_keys_hand_over(const char *path)
{
    char *copy = strdup(path);
    struct stat info;

    if (copy && geteuid() == 0 && stat(dirname(copy), &info) == 0 && info.st_uid != 0 &&
        lchown(path, info.st_uid, info.st_gid) != 0)
        fprintf(stderr, "greenroom: '%s' cannot be given to the owner of its directory: %s\n", path,
                strerror(errno));
    free(copy);
}

static bool lock(struct grc_key_file *file, char **ret_reason)
{
    char *path = grc_keys_beside(file->path, GRC_KEYS_LOCK_SUFFIX);

    file->lock = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (file->lock < 0)
        grc_refuse(ret_reason, "'%s': %s", path ? path : file->path, strerror(errno));
    else
        grc_keys_hand_over(path);
    free(path);
    if (file->lock < 0)
        return false;
    while (flock(file->lock, LOCK_EX) != 0) {
        if (errno != EINTR)
            return grc_refuse(ret_reason, "'%s' cannot be locked: %s", file->path, strerror(errno));
    }
    return true;
}

static bool read_root(struct grc_key_file *file, char **ret_reason)
{
    struct stat info;
    size_t len = 0;
    const char *reason = NULL;
    char *wrong = NULL;

    if (stat(file->path, &info) != 0 && errno == ENOENT) {
        file->root = json_pack("{s:i, s:[]}", "version", 1, "keys");
        return file->root || grc_refuse(ret_reason, "out of memory");
    }
    char *text = grc_file_read(file->path, GRC_KEYS_FILE_MAX, &len, &reason);
    if (!text)
        return grc_refuse(ret_reason, "'%s': %s", file->path, reason);
    struct grc_key_set *set = grc_key_set_parse((gr_str){text, len}, &wrong);
    if (set)
        file->root = grc_json_parse((gr_str){text, len}, DEPTH_MAX, &reason);
    else
        grc_refuse(ret_reason, "'%s': %s", file->path, wrong ? wrong : "out of memory");
    grc_key_set_unref(set);
    free(wrong);
    free(text);
    return file->root != NULL;
}

bool grc_key_file_open(struct grc_key_file *file, const char *path, char **ret_reason)
{
    *file = (struct grc_key_file){.path = path, .lock = -1};
    if (lock(file, ret_reason) && read_root(file, ret_reason))
        return true;
    grc_key_file_close(file);
    return false;
}

bool grc_key_file_save(struct grc_key_file *file, char **ret_reason)
{
    char *text = json_dumps(file->root, JSON_INDENT(1));
    char *wrong = NULL;
    struct grc_key_set *set = text ? grc_key_set_parse(gr_str_of(text), &wrong) : NULL;
    bool done = false;

    /* Content that the gateway could not read is not written. */
    if (!set)
        grc_refuse(ret_reason, "%s", wrong ? wrong : "out of memory");
    else if (!grc_file_write(file->path, gr_str_of(text), 0600))
        grc_refuse(ret_reason, "'%s': %s", file->path, strerror(errno));
    else
        done = true;
    if (done)
        grc_keys_hand_over(file->path);
    grc_key_set_unref(set);
    free(wrong);
    free(text);
    return done;
}

void grc_key_file_close(struct grc_key_file *file)
{
    json_decref(file->root);
    file->root = NULL;
    if (file->lock >= 0)
        close(file->lock);
    file->lock = -1;
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
    snprintf(ret_text, GRC_KEY_TEXT_MAX, "gr_%s_%s", ret_id, secret_text);
    grc_sha256(gr_str_of(ret_text), digest);
    grc_hex(digest, sizeof(digest), ret_hash);
    grc_wipe(secret, sizeof(secret));
    grc_wipe(secret_text, sizeof(secret_text));
}

/* Appends a record; steals scopes and bindings (which may be NULL). */
static bool append(struct grc_key_file *file, const char *name, json_t *scopes, json_t *bindings,
                   int64_t expires_ms, int64_t now_ms, char ret_text[GRC_KEY_TEXT_MAX])
{
    char id[GRC_KEY_ID_LEN + 1];
    char hash[65];
    json_t *record;

    make_key(ret_text, id, hash);
    record = json_pack("{s:s,s:s,s:s,s:o,s:o,s:o*,s:o*}", "id", id, "name", name, "hash", hash,
                       "scopes", scopes, "created", time_json(now_ms), "expires",
                       expires_ms ? time_json(expires_ms) : NULL, "bindings", bindings);
    return record && json_array_append_new(json_object_get(file->root, "keys"), record) == 0;
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

static bool wish_valid(const struct grc_key_wish *wish, char **ret_reason)
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

bool grc_key_file_add(struct grc_key_file *file, const struct grc_key_wish *wish, int64_t now_ms,
                      char ret_text[GRC_KEY_TEXT_MAX], char **ret_reason)
{
    const json_t *record;
    size_t i;

    if (!wish_valid(wish, ret_reason))
        return false;
    json_array_foreach(json_object_get(file->root, "keys"), i, record) {
        if (is_called(record, wish->name) && works(record, now_ms))
            return grc_refuse(ret_reason,
                              "a key called '%s' exists: revoke or rotate it, or take "
                              "another name",
                              wish->name);
    }
    if (!append(file, wish->name, list_json(wish->scopes), bindings_json(wish), wish->expires_ms,
                now_ms, ret_text))
        return grc_refuse(ret_reason, "out of memory");
    return true;
}

size_t grc_key_file_revoke(struct grc_key_file *file, const char *who, int64_t now_ms)
{
    json_t *record;
    size_t i;
    size_t count = 0;

    json_array_foreach(json_object_get(file->root, "keys"), i, record) {
        if (is_called(record, who) && works(record, now_ms) &&
            json_object_set_new(record, "revoked", time_json(now_ms)) == 0)
            count++;
    }
    return count;
}

/* Finds the only valid key with this name or id. */
static json_t *find_one(struct grc_key_file *file, const char *who, int64_t now_ms,
                        char **ret_reason)
{
    json_t *found = NULL;
    json_t *record;
    size_t i;

    json_array_foreach(json_object_get(file->root, "keys"), i, record) {
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

bool grc_key_file_rotate(struct grc_key_file *file, const char *who, int64_t keep_ms,
                         int64_t now_ms, char ret_text[GRC_KEY_TEXT_MAX], char **ret_reason)
{
    json_t *old = find_one(file, who, now_ms, ret_reason);
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
    if (!append(file, json_string_value(json_object_get(old, "name")),
                json_deep_copy(json_object_get(old, "scopes")),
                bindings ? json_deep_copy(bindings) : NULL, expires_ms, now_ms, ret_text))
        return grc_refuse(ret_reason, "out of memory");
    return true;
}

size_t grc_key_file_prune(struct grc_key_file *file, int64_t now_ms)
{
    json_t *keys = json_object_get(file->root, "keys");
    size_t count = 0;

    for (size_t i = json_array_size(keys); i-- > 0;) {
        if (!works(json_array_get(keys, i), now_ms))
            count += json_array_remove(keys, i) == 0;
    }
    return count;
}
