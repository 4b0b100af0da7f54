#include "auth/keys_store.h"

#include "auth/keys_use.h"
#include "base/err.h"
#include "base/format.h"
#include "base/json.h"
#include "store/catalog.h"

#include <stdlib.h>

#define DEPTH_MAX 8u

const struct gr_migration grc_keys_store_steps[] = {
    {.version = 1,
     .name = "keys",
     .sql = "CREATE TABLE greenroom_keys (id TEXT PRIMARY KEY, record TEXT NOT NULL,"
            " used_at_ms BIGINT NOT NULL DEFAULT 0);"
            " CREATE TABLE greenroom_keys_version (version BIGINT NOT NULL);"
            " INSERT INTO greenroom_keys_version (version) VALUES (1);"},
    GR_END,
};

enum gr_err grc_keys_store_migrate(struct grc_store *store, char **ret_reason)
{
    return grc_store_migrate(store, GRC_KEYS_SCHEMA, grc_keys_store_steps,
                             sizeof(grc_keys_store_steps[0]), ret_reason);
}

bool grc_keys_store_is_made(struct grc_store *store)
{
    struct grc_catalog catalog;
    bool made =
        grc_catalog_read(store, &catalog) == GR_OK && grc_catalog_find(&catalog, "greenroom_keys");

    grc_catalog_free(&catalog);
    return made;
}

enum gr_err grc_keys_store_version(struct grc_store *store, int64_t *ret_version)
{
    return grc_store_run(store, NULL, "SELECT version FROM greenroom_keys_version", NULL, 0,
                         grc_store_take_number, ret_version, NULL);
}

/* --- reading --- */

struct reading {
    json_t *document;
    json_t *used; /* id to time of last use; NULL: not wanted */
};

static enum gr_err take_record(void *arg, const struct gr_value *columns, size_t count)
{
    struct reading *reading = arg;
    json_t *keys = json_object_get(reading->document, "keys");
    json_t *record = grc_json_parse(columns[1].s, DEPTH_MAX, NULL);

    (void)count;
    if (json_array_size(keys) >= GRC_KEYS_MAX || !record) {
        json_decref(record);
        return record ? GR_ERR_TOO_LARGE : GR_ERR_BAD_JSON;
    }
    if (reading->used && json_object_setn_new(reading->used, columns[0].s.ptr, columns[0].s.len,
                                              json_integer(columns[2].i)) != 0) {
        json_decref(record);
        return GR_ERR_NO_MEMORY;
    }
    return json_array_append_new(keys, record) == 0 ? GR_OK : GR_ERR_NO_MEMORY;
}

static enum gr_err read_records(struct grc_store *store, struct grc_store_session *session,
                                struct reading *reading)
{
    reading->document = grc_key_document();
    if (!reading->document)
        return GR_ERR_NO_MEMORY;
    return grc_store_run(store, session,
                         "SELECT id, record, used_at_ms FROM greenroom_keys ORDER BY id", NULL, 0,
                         take_record, reading, NULL);
}

/* Returns NULL with a malloc'ed reason. */
static struct grc_key_set *set_of(const json_t *document, char **ret_reason)
{
    char *text = json_dumps(document, JSON_COMPACT);
    struct grc_key_set *set = text ? grc_key_set_parse(gr_str_of(text), ret_reason) : NULL;

    free(text);
    return set;
}

struct grc_key_set *grc_keys_store_load(struct grc_store *store, char **ret_reason)
{
    struct reading reading = {.used = json_object()};
    enum gr_err err =
        reading.used ? read_records(store, NULL, &reading) : (enum gr_err)GR_ERR_NO_MEMORY;
    struct grc_key_set *set = NULL;

    *ret_reason = NULL;
    if (err == GR_OK)
        set = set_of(reading.document, ret_reason);
    else
        *ret_reason = grc_format("%s", grc_err_doc(err));
    for (size_t i = 0; set && i < grc_key_set_count(set); i++) {
        struct grc_api_key *key = grc_key_set_at(set, i);
        int64_t used_ms = json_integer_value(json_object_get(reading.used, key->id));

        atomic_store(&key->used_ms, used_ms);
        atomic_store(&key->noted_ms, used_ms);
    }
    json_decref(reading.used);
    json_decref(reading.document);
    return set;
}

enum gr_err grc_keys_store_note_use(struct grc_store *store, struct grc_key_set *set)
{
    enum gr_err err = GR_OK;

    for (size_t i = 0; i < grc_key_set_count(set) && err == GR_OK; i++) {
        struct grc_api_key *key = grc_key_set_at(set, i);
        int64_t used_ms = atomic_load(&key->used_ms);

        if (used_ms <= atomic_load(&key->noted_ms))
            continue;
        err = grc_store_run(store, NULL,
                            "UPDATE greenroom_keys SET used_at_ms = ?2"
                            " WHERE id = ?1 AND used_at_ms < ?2",
                            GR_PARAMS(gr_v_text(key->id), gr_v_int(used_ms)), NULL, NULL, NULL);
        if (err == GR_OK)
            atomic_store(&key->noted_ms, used_ms);
    }
    return err;
}

/* --- editing --- */

struct editing {
    struct grc_store *store;
    grc_key_edit_fn *edit;
    void *arg;
    char *reason;
};

static enum gr_err run(const struct editing *editing, struct grc_store_session *session,
                       const char *sql, const struct gr_value *params, size_t count)
{
    return grc_store_run(editing->store, session, sql, params, count, NULL, NULL, NULL);
}

static enum gr_err put_record(const struct editing *editing, struct grc_store_session *session,
                              const json_t *record)
{
    char *text = json_dumps(record, JSON_COMPACT);
    enum gr_err err = GR_ERR_NO_MEMORY;

    if (text)
        err = run(editing, session,
                  "INSERT INTO greenroom_keys (id, record) VALUES (?1, ?2)"
                  " ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                  GR_PARAMS(gr_v_text(json_string_value(json_object_get(record, "id"))),
                            gr_v_text(text)));
    free(text);
    return err;
}

/* Returns an object: id to record. */
static json_t *by_id(const json_t *document)
{
    json_t *object = json_object();
    json_t *record;
    size_t i;

    json_array_foreach(json_object_get(document, "keys"), i, record) {
        const char *id = json_string_value(json_object_get(record, "id"));

        if (json_object_set(object, id, record) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* Writes what differs. */
static enum gr_err write_changes(const struct editing *editing, struct grc_store_session *session,
                                 json_t *before, json_t *after)
{
    const char *id;
    json_t *record;
    enum gr_err err = before && after ? GR_OK : GR_ERR_NO_MEMORY;

    json_object_foreach(after, id, record) {
        if (err == GR_OK && !json_equal(record, json_object_get(before, id)))
            err = put_record(editing, session, record);
    }
    json_object_foreach(before, id, record) {
        if (err == GR_OK && !json_object_get(after, id))
            err = run(editing, session, "DELETE FROM greenroom_keys WHERE id = ?1",
                      GR_PARAMS(gr_v_text(id)));
    }
    return err;
}

/* Content that a gateway could not read is not written. */
static bool is_sound(const json_t *document, char **ret_reason)
{
    struct grc_key_set *set = set_of(document, ret_reason);
    bool sound = set != NULL;

    grc_key_set_unref(set);
    if (!sound && !*ret_reason)
        grc_refuse(ret_reason, "out of memory");
    return sound;
}

static enum gr_err edit_in(struct grc_store_session *session, void *arg)
{
    struct editing *editing = arg;
    struct reading reading = {.used = NULL};
    /* First, so that two programs that edit at the same time take turns. */
    enum gr_err err = run(editing, session,
                          "UPDATE greenroom_keys_version SET version = version + 1", GR_NO_PARAMS);

    free(editing->reason);
    editing->reason = NULL;
    if (err == GR_OK)
        err = read_records(editing->store, session, &reading);
    json_t *before = err == GR_OK ? json_deep_copy(reading.document) : NULL;
    /* An edit relies on what a gateway checks when it reads the keys. */
    if (err == GR_OK && (!is_sound(reading.document, &editing->reason) ||
                         !editing->edit(reading.document, editing->arg, &editing->reason) ||
                         !is_sound(reading.document, &editing->reason)))
        err = GR_ERR_INVALID;
    if (err == GR_OK) {
        json_t *old = by_id(before);
        json_t *fresh = by_id(reading.document);

        err = write_changes(editing, session, old, fresh);
        json_decref(old);
        json_decref(fresh);
    }
    json_decref(before);
    json_decref(reading.document);
    return err;
}

bool grc_keys_store_edit(struct grc_store *store, grc_key_edit_fn *edit, void *arg,
                         char **ret_reason)
{
    struct editing editing = {.store = store, .edit = edit, .arg = arg};
    enum gr_err err = grc_store_tx(store, edit_in, &editing);

    if (err == GR_OK) {
        free(editing.reason);
        return true;
    }
    *ret_reason = editing.reason ? editing.reason : grc_format("%s", grc_err_doc(err));
    return false;
}
