/*
 * `greenroom rig import [URL]`: copies the tables of an original rig into this one's. Ids, hashes,
 * keys and times are kept. Rows that exist already are not touched, so the import can be repeated
 * while the original is still in use. Rows that break a rule of this rig are reported, not dropped.
 */
#include "libpq.h"
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH 500
struct import {
    struct rig_pq pq;
    PGconn *source;
    const PGresult *rows;
    int first; /* first row of the batch */
    int last;  /* row after the last one of the batch */
    struct gr_call *call;
    long added;
    long present;
    long odd; /* rows reported */
    enum gr_err (*row)(struct import *import, int row);
};

static gr_str cell(const struct import *import, int row, int column)
{
    if (import->pq.PQgetisnull(import->rows, row, column))
        return (gr_str){NULL, 0};
    return (gr_str){import->pq.PQgetvalue(import->rows, row, column),
                    (size_t)import->pq.PQgetlength(import->rows, row, column)};
}

static struct gr_value integer(const struct import *import, int row, int column)
{
    gr_str text = cell(import, row, column);

    return text.ptr ? gr_v_int(strtoll(text.ptr, NULL, 10)) : gr_v_null();
}

static void report(struct import *import, const char *what, gr_str id, const char *problem)
{
    import->odd++;
    (void)fprintf(stderr, "%s %.*s: %s\n", what, (int)id.len, id.ptr, problem);
}

/* Runs an INSERT … ON CONFLICT DO NOTHING and counts the row as added or present. */
static enum gr_err insert(struct import *import, const char *sql, const struct gr_value *params,
                          size_t count, int64_t *ret_changed)
{
    int64_t changed = 0;

    enum gr_err err = gr_store(import->call, sql, params, count, NULL, NULL, &changed);
    if (err != GR_OK)
        return err;
    if (changed)
        import->added++;
    else
        import->present++;
    *ret_changed = changed;
    return GR_OK;
}

static enum gr_err is_there(struct import *import, const char *sql, gr_str key, bool *ret_there)
{
    const struct gr_value params[] = {gr_v_str(key)};
    struct rig_text_row row = {.call = import->call};

    enum gr_err err = gr_store_query(import->call, sql, params, 1, rig_keep_row, &row);
    *ret_there = row.found;
    return err;
}

/* ------------------------------------------------------------------------------------------ */
/* Rows                                                                                       */

/* The address in lower case. The original's addresses are case-sensitive, so another account may
 * have the same address; the key then gets the user's id appended. */
static enum gr_err email_key(struct import *import, gr_str id, gr_str email, const char **ret_key)
{
    const char *key = rig_lower(import->call, email);
    const struct gr_value params[] = {gr_v_text(key), gr_v_str(id)};
    struct rig_text_row row = {.call = import->call};

    if (!key)
        return GR_ERR_NO_MEMORY;
    enum gr_err err =
        gr_store_query(import->call, "SELECT id FROM rig_users WHERE email_key = ?1 AND id <> ?2",
                       params, 2, rig_keep_row, &row);
    if (err == GR_OK && row.found) {
        report(import, "user", id, "its e-mail differs from another one in case only; kept");
        key = gr_format(import->call, "%s %.*s", key, (int)id.len, id.ptr);
    }
    *ret_key = key;
    return err == GR_OK && !key ? GR_ERR_NO_MEMORY : err;
}

/* columns: id, username, email, password, created, updated */
static enum gr_err import_user(struct import *import, int row)
{
    gr_str id = cell(import, row, 0);
    gr_str email = cell(import, row, 2);
    const char *key = NULL;
    int64_t changed = 0;
    bool there = false;

    enum gr_err err = email_key(import, id, email, &key);
    if (err != GR_OK)
        return err;
    if (!rig_email_valid(email))
        report(import, "user", id, "its e-mail is no valid address; kept");
    const struct gr_value params[] = {
        gr_v_str(id),           gr_v_str(cell(import, row, 1)), gr_v_str(email),
        gr_v_text(key),         gr_v_str(cell(import, row, 3)), integer(import, row, 4),
        integer(import, row, 5)};
    err = insert(import,
                 "INSERT INTO rig_users (id, username, email, email_key, password, is_active,"
                 " generation, created_at_ms, updated_at_ms)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, ?6, ?7) ON CONFLICT DO NOTHING",
                 params, 7, &changed);
    if (err == GR_OK && changed == 0)
        err = is_there(import, "SELECT id FROM rig_users WHERE id = ?1", id, &there);
    if (err == GR_OK && changed == 0 && !there)
        report(import, "user", id, "its name is taken by another account here; NOT imported");
    return err;
}

/* columns: id, key, active, user, created, updated */
static enum gr_err import_stream(struct import *import, int row)
{
    gr_str id = cell(import, row, 0);
    int64_t changed = 0;
    bool there = false;

    if (!rig_key_safe(cell(import, row, 1)))
        report(import, "stream", id, "its key has characters that agents must not use; kept");
    enum gr_err err =
        is_there(import, "SELECT id FROM rig_users WHERE id = ?1", cell(import, row, 3), &there);
    if (err != GR_OK)
        return err;
    if (!there) {
        report(import, "stream", id, "its user was not imported; NOT imported");
        return GR_OK;
    }
    const struct gr_value params[] = {gr_v_str(id),
                                      gr_v_str(cell(import, row, 1)),
                                      gr_v_str(cell(import, row, 3)),
                                      integer(import, row, 2),
                                      integer(import, row, 4),
                                      integer(import, row, 5)};
    return insert(import,
                  "INSERT INTO rig_streams (id, stream_key, user_id, is_active, created_at_ms,"
                  " updated_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                  params, 6, &changed);
}

/* columns: id, service, key, active, stream */
static enum gr_err import_destination(struct import *import, int row)
{
    gr_str id = cell(import, row, 0);
    int64_t changed = 0;
    bool there = false;

    if (!rig_key_safe(cell(import, row, 2)))
        report(import, "destination", id, "its key has unsafe characters; kept, but not pushed to");
    enum gr_err err =
        is_there(import, "SELECT id FROM rig_streams WHERE id = ?1", cell(import, row, 4), &there);
    if (err != GR_OK)
        return err;
    if (!there) {
        report(import, "destination", id, "its stream was not imported; NOT imported");
        return GR_OK;
    }
    const struct gr_value params[] = {integer(import, row, 0), gr_v_str(cell(import, row, 4)),
                                      gr_v_str(cell(import, row, 1)),
                                      gr_v_str(cell(import, row, 2)), integer(import, row, 3)};
    return insert(import,
                  "INSERT INTO rig_destinations (id, stream_id, service, stream_key, is_active)"
                  " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                  params, 5, &changed);
}

/* ------------------------------------------------------------------------------------------ */
/* Tables                                                                                     */

static enum gr_err import_batch(struct gr_call *call, void *arg)
{
    struct import *import = arg;
    const struct import before = *import;
    enum gr_err err = GR_OK;

    (void)call;
    for (int row = import->first; row < import->last && err == GR_OK; row++)
        err = import->row(import, row);
    /* The transaction may run again and would count the same rows twice. */
    if (err != GR_OK)
        *import = before;
    return err;
}

static enum gr_err import_table(struct import *import, const char *what, const char *sql)
{
    PGresult *rows = import->pq.PQexec(import->source, sql);
    enum gr_err err = GR_OK;

    if (import->pq.PQresultStatus(rows) != PGRES_TUPLES_OK) {
        (void)fprintf(stderr, "greenroom: cannot read the %s: %s", what,
                      import->pq.PQresultErrorMessage(rows));
        import->pq.PQclear(rows);
        return GR_ERR_UNPROCESSABLE;
    }
    import->rows = rows;
    import->added = 0;
    import->present = 0;
    import->odd = 0;
    for (int at = 0; at < import->pq.PQntuples(rows) && err == GR_OK; at += BATCH) {
        import->first = at;
        import->last = at + BATCH < import->pq.PQntuples(rows) ? at + BATCH
            : import->pq.PQntuples(rows);
        err = gr_store_tx(import->call, import_batch, import);
    }
    (void)printf("%s: %d read, %ld added, %ld already there, %ld reported\n", what,
                 import->pq.PQntuples(rows), import->added, import->present, import->odd);
    import->pq.PQclear(rows);
    return err;
}

#define MS(column) "(extract(epoch FROM " column ") * 1000)::bigint"

static enum gr_err import_all(struct import *import)
{
    import->row = import_user;
    enum gr_err err = import_table(import, "users",
                                   "SELECT id::text, username, email, password, " MS(
                                       "created_at") ", " MS("updated_at") " FROM user_accounts"
                                                                           " ORDER BY created_at");
    import->row = import_stream;
    if (err == GR_OK)
        err =
            import_table(import, "streams",
                         "SELECT id::text, stream_key, is_active::int, user_account_id::text, " MS(
                             "created_at") ", " MS("updated_at") " FROM multi_streams"
                                                                 " ORDER BY created_at");
    import->row = import_destination;
    if (err == GR_OK)
        err = import_table(import, "destinations",
                           "SELECT id, service, stream_key, is_active::int, multi_stream_id::text"
                           " FROM destinations ORDER BY id");
    /* The counter continues after the highest imported id, so that no id is given twice. */
    if (err == GR_OK)
        err = gr_store_exec(import->call,
                            "UPDATE rig_counters SET value ="
                            " (SELECT max(id) FROM rig_destinations) WHERE name = 'destination'"
                            " AND value < (SELECT coalesce(max(id), 0) FROM rig_destinations)",
                            NULL, 0);
    return err;
}

/* Whether the URL has a password, or may have one, since libpq cannot take it apart. */
static bool has_password(const struct import *import, const char *url)
{
    PQconninfoOption *options = import->pq.PQconninfoParse(url, NULL);
    bool found = options == NULL;

    for (const PQconninfoOption *at = options; at && at->keyword; at++)
        found = found || (at->val && strcmp(at->keyword, "password") == 0);
    import->pq.PQconninfoFree(options);
    return found || strchr(url, '@') != strrchr(url, '@');
}

int rig_import(struct gr_call *call, const void *opts, int argc, char **argv)
{
    struct import import = {.call = call};

    (void)opts;
    char *kept = getenv("RIG_IMPORT_URL");
    const char *url = argc == 2 ? argv[1] : kept;
    if (argc > 2 || !url || strncmp(url, "postgres", 8) != 0)
        return RIG_USAGE;
    if (!rig_pq_load(&import.pq))
        return 1;
    if (argc == 2 && has_password(&import, url)) {
        (void)fprintf(stderr,
                      "greenroom: every user of this machine can read a password on the command "
                      "line; set RIG_IMPORT_URL to the URL instead\n");
        return RIG_USAGE;
    }
    /* When a password was written without %XX, libpq's message could contain a part of it. */
    bool plain = strchr(url, '@') == strrchr(url, '@');
    import.source = import.pq.PQconnectdb(url);
    if (kept)
        explicit_bzero(kept, strlen(kept)); /* /proc shows it for as long as the process runs */
    if (import.pq.PQstatus(import.source) != CONNECTION_OK) {
        (void)fprintf(stderr, "greenroom: cannot connect to the original's database: %s\n",
                      plain ? import.pq.PQerrorMessage(import.source)
                            : "is the password written with %XX?");
        import.pq.PQfinish(import.source);
        return 1;
    }
    enum gr_err err = import_all(&import);
    import.pq.PQfinish(import.source);
    if (err == GR_OK)
        return 0;
    (void)fprintf(stderr, "greenroom: the import stopped; it can be run again\n");
    return 1;
}
