#include "idempotency/records.h"

/* A record that vanishes between two statements was released or has expired, and the claim is made
 * again. */
#define LOOKS_MAX 4
#define EXPIRED_AT_ONCE "1000"
#define OWNER_KEPT_MS ((int64_t)24 * 3600 * 1000)

#define TABLES(blob_)                                                                              \
    "CREATE TABLE greenroom_idempotency (id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL,"          \
    " owner TEXT NOT NULL, token BIGINT NOT NULL, group_name TEXT NOT NULL,"                       \
    " operation TEXT NOT NULL, state BIGINT NOT NULL, begun_at_ms BIGINT NOT NULL,"                \
    " expires_at_ms BIGINT NOT NULL, status BIGINT, content_type TEXT, headers TEXT,"              \
    " body " blob_ ");"                                                                            \
    " CREATE INDEX greenroom_idempotency_open ON greenroom_idempotency (owner) WHERE state = 0;"   \
    " CREATE INDEX greenroom_idempotency_expires ON greenroom_idempotency (expires_at_ms);"        \
    " CREATE INDEX greenroom_idempotency_group ON greenroom_idempotency (group_name);"             \
    " CREATE TABLE greenroom_idempotency_owners (owner TEXT PRIMARY KEY, beat BIGINT NOT NULL,"    \
    " beaten_at_ms BIGINT NOT NULL);"

const struct gr_migration grc_records_steps[] = {
    {.version = 1, .name = "records", .sql = TABLES("BLOB"), .postgres = TABLES("BYTEA")},
    GR_END,
};

enum gr_err grc_records_migrate(struct grc_store *store, char **ret_reason)
{
    return grc_store_migrate(store, GRC_RECORDS_SCHEMA, grc_records_steps,
                             sizeof(grc_records_steps[0]), ret_reason);
}

static enum gr_err change(struct grc_store *store, const char *sql, const struct gr_value *params,
                          size_t count, int64_t *ret_changed)
{
    return grc_store_run(store, NULL, sql, params, count, NULL, NULL, ret_changed);
}

/* --- a claim --- */

static enum gr_err insert(struct grc_store *store, const struct grc_record_claim *claim,
                          bool *ret_first)
{
    int64_t changed = 0;
    /* A record whose time is over gives way, unless its request is still being served. */
    enum gr_err err = change(
        store,
        "INSERT INTO greenroom_idempotency AS r (id, fingerprint, owner, token, group_name,"
        " operation, state, begun_at_ms, expires_at_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8)"
        " ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint,"
        " owner = excluded.owner, token = excluded.token, state = 0,"
        " begun_at_ms = excluded.begun_at_ms, expires_at_ms = excluded.expires_at_ms,"
        " status = NULL, content_type = NULL, headers = NULL, body = NULL"
        " WHERE r.state <> 0 AND r.expires_at_ms <= excluded.begun_at_ms",
        GR_PARAMS(gr_v_text(claim->id), gr_v_text(claim->fingerprint), gr_v_text(claim->owner),
                  gr_v_int(claim->token), gr_v_text(claim->group), gr_v_text(claim->operation),
                  gr_v_int(claim->now_ms), gr_v_int(claim->now_ms + claim->keep_ms)),
        &changed);

    *ret_first = changed == 1;
    return err;
}

struct found {
    struct grc_arena *arena;
    const struct grc_record_claim *claim;
    struct grc_record *record;
    bool any;
};

/* Copies a text. Returns false without memory. */
static bool keep(struct grc_arena *arena, gr_str from, gr_str *to)
{
    *to = (gr_str){from.len ? grc_arena_copy(arena, from) : "", from.len};
    return to->ptr != NULL;
}

static enum gr_err take_record(void *arg, const struct gr_value *columns, size_t count)
{
    struct found *found = arg;
    struct grc_record_answer *answer = &found->record->answer;

    (void)count;
    found->any = true;
    found->record->same = gr_str_eq(columns[0].s, gr_str_of(found->claim->fingerprint));
    answer->state = (enum grc_record_state)columns[1].i;
    answer->status = (int)columns[2].i;
    bool fine = keep(found->arena, columns[3].s, &answer->content_type) &&
                keep(found->arena, columns[4].s, &answer->headers) &&
                keep(found->arena, columns[5].s, &answer->body);
    return fine ? GR_OK : GR_ERR_NO_MEMORY;
}

enum gr_err grc_record_claim(struct grc_store *store, struct grc_arena *arena,
                             const struct grc_record_claim *claim, bool *ret_first,
                             struct grc_record *ret_record)
{
    for (unsigned look = 0; look < LOOKS_MAX; look++) {
        struct found found = {.arena = arena, .claim = claim, .record = ret_record};
        enum gr_err err = insert(store, claim, ret_first);

        if (err != GR_OK || *ret_first)
            return err;
        err = grc_store_run(store, NULL,
                            "SELECT fingerprint, state, status, content_type, headers, body"
                            " FROM greenroom_idempotency WHERE id = ?1",
                            GR_PARAMS(gr_v_text(claim->id)), take_record, &found, NULL);
        if (err != GR_OK || found.any)
            return err == GR_ERR_STORE_DOWN ? GR_ERR_STORE_BUSY
                                            : err; /* this claim has made no record */
    }
    return GR_ERR_STORE_BUSY;
}

/* --- its end --- */

/* An owner that was stopped for a while is believed to be gone, and other gateways mark its record
 * as lost. If it goes on and has the answer after all, the record gets the answer. */
#define OF_CLAIM " WHERE id = ?1 AND token = ?2 AND state IN (0, 2)"

enum gr_err grc_record_answer(struct grc_store *store, const char *id, int64_t token,
                              const struct grc_record_answer *answer)
{
    const struct gr_value body = {.kind = GR_VALUE_BLOB, .s = answer->body};

    return change(store,
                  "UPDATE greenroom_idempotency SET state = ?3, status = ?4, content_type = ?5,"
                  " headers = ?6, body = ?7" OF_CLAIM,
                  GR_PARAMS(gr_v_text(id), gr_v_int(token), gr_v_int((int64_t)answer->state),
                            gr_v_int(answer->status), gr_v_str(answer->content_type),
                            gr_v_str(answer->headers), body),
                  NULL);
}

enum gr_err grc_record_lose(struct grc_store *store, const char *id, int64_t token)
{
    return change(store, "UPDATE greenroom_idempotency SET state = 2" OF_CLAIM,
                  GR_PARAMS(gr_v_text(id), gr_v_int(token)), NULL);
}

enum gr_err grc_record_release(struct grc_store *store, const char *id, int64_t token)
{
    return change(store, "DELETE FROM greenroom_idempotency" OF_CLAIM,
                  GR_PARAMS(gr_v_text(id), gr_v_int(token)), NULL);
}

/* --- owners --- */

enum gr_err grc_records_beat(struct grc_store *store, const char *owner, int64_t now_ms)
{
    return change(store,
                  "INSERT INTO greenroom_idempotency_owners AS o (owner, beat, beaten_at_ms)"
                  " VALUES (?1, 0, ?2) ON CONFLICT (owner) DO UPDATE SET beat = o.beat + 1,"
                  " beaten_at_ms = excluded.beaten_at_ms",
                  GR_PARAMS(gr_v_text(owner), gr_v_int(now_ms)), NULL);
}

struct owners {
    grc_records_owner_fn *each;
    void *arg;
};

static enum gr_err take_owner(void *arg, const struct gr_value *columns, size_t count)
{
    const struct owners *owners = arg;
    char owner[GRC_RECORD_OWNER] = "";

    (void)count;
    if (columns[0].s.len >= sizeof(owner))
        return GR_OK; /* not written by a gateway */
    memcpy(owner, columns[0].s.ptr, columns[0].s.len);
    owners->each(owners->arg, owner, columns[1].kind == GR_VALUE_INT ? columns[1].i : -1);
    return GR_OK;
}

enum gr_err grc_records_owners(struct grc_store *store, const char *self,
                               grc_records_owner_fn *each, void *arg)
{
    struct owners owners = {each, arg};

    return grc_store_run(store, NULL,
                         "SELECT r.owner, o.beat FROM (SELECT DISTINCT owner"
                         " FROM greenroom_idempotency WHERE state = 0 AND owner <> ?1) AS r"
                         " LEFT JOIN greenroom_idempotency_owners AS o ON o.owner = r.owner",
                         GR_PARAMS(gr_v_text(self)), take_owner, &owners, NULL);
}

enum gr_err grc_records_abandon(struct grc_store *store, const char *owner, int64_t *ret_count)
{
    return change(store,
                  "UPDATE greenroom_idempotency SET state = 2 WHERE owner = ?1 AND state = 0",
                  GR_PARAMS(gr_v_text(owner)), ret_count);
}

enum gr_err grc_records_leave(struct grc_store *store, const char *owner)
{
    int64_t lost = 0;
    enum gr_err err = grc_records_abandon(store, owner, &lost);

    if (err != GR_OK)
        return err;
    return change(store, "DELETE FROM greenroom_idempotency_owners WHERE owner = ?1",
                  GR_PARAMS(gr_v_text(owner)), NULL);
}

/* --- cleanup --- */

enum gr_err grc_records_expire(struct grc_store *store, int64_t now_ms, int64_t *ret_count)
{
    enum gr_err err = change(store,
                             "DELETE FROM greenroom_idempotency WHERE id IN (SELECT id"
                             " FROM greenroom_idempotency WHERE expires_at_ms <= ?1 AND state <> 0"
                             " LIMIT " EXPIRED_AT_ONCE ")",
                             GR_PARAMS(gr_v_int(now_ms)), ret_count);
    if (err != GR_OK)
        return err;
    return change(store,
                  "DELETE FROM greenroom_idempotency_owners WHERE beaten_at_ms < ?1 AND NOT EXISTS"
                  " (SELECT 1 FROM greenroom_idempotency AS r WHERE r.state = 0"
                  " AND r.owner = greenroom_idempotency_owners.owner)",
                  GR_PARAMS(gr_v_int(now_ms - OWNER_KEPT_MS)), NULL);
}

enum gr_err grc_records_count(struct grc_store *store, const char *group, int64_t *ret_count)
{
    return grc_store_run(store, NULL,
                         "SELECT count(*) FROM greenroom_idempotency WHERE group_name = ?1",
                         GR_PARAMS(gr_v_text(group)), grc_store_take_number, ret_count, NULL);
}
