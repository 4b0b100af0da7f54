/* Statements and transactions of the SQLite engine. */
#include "store/sqlite.h"
#include "store/sql.h"

#include <stdlib.h>

static enum gr_err prepare(struct grc_lite_conn *conn, const char *sql,
                           struct grc_lite_stmt **ret_stmt)
{
    struct grc_cached *cached = grc_cache_find(&conn->cache, gr_str_of(sql));

    if (cached && !cached->busy) {
        *ret_stmt = (struct grc_lite_stmt *)(void *)cached;
        return GR_OK;
    }
    struct grc_lite_stmt *stmt = calloc(1, sizeof(*stmt));
    if (!stmt)
        return GR_ERR_NO_MEMORY;
    const char *tail = NULL;
    int code = sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->stmt, &tail);
    if (code != SQLITE_OK || !stmt->stmt || (tail && tail[strspn(tail, " \t\r\n;")])) {
        sqlite3_finalize(stmt->stmt);
        free(stmt);
        if (code != SQLITE_OK)
            return grc_lite_complain(conn, code, sql);
        return grc_store_complain(&grc_engine_sqlite, GR_ERR_STORE, "one",
                                  "expected exactly one statement", sql);
    }
    /* A statement that is run while its own rows are read is prepared again, for this use only. */
    stmt->kept = !cached && grc_cache_add(&conn->cache, gr_str_of(sql), &stmt->head);
    *ret_stmt = stmt;
    return GR_OK;
}

static int bind_value(sqlite3_stmt *stmt, int at, const struct gr_value *value)
{
    switch (value->kind) {
    case GR_VALUE_NULL:
        return sqlite3_bind_null(stmt, at);
    case GR_VALUE_INT:
        return sqlite3_bind_int64(stmt, at, value->i);
    case GR_VALUE_REAL:
        return sqlite3_bind_double(stmt, at, value->d);
    case GR_VALUE_TEXT:
        return sqlite3_bind_text64(stmt, at, value->s.ptr ? value->s.ptr : "", value->s.len,
                                   SQLITE_STATIC, SQLITE_UTF8);
    case GR_VALUE_BLOB:
        return sqlite3_bind_blob64(stmt, at, value->s.ptr ? value->s.ptr : "", value->s.len,
                                   SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static enum gr_err bind_all(struct grc_lite_conn *conn, sqlite3_stmt *stmt,
                            const struct grc_statement *st)
{
    if ((size_t)sqlite3_bind_parameter_count(stmt) != st->count)
        return grc_store_complain(&grc_engine_sqlite, GR_ERR_STORE, "parameters",
                                  "number of parameters differs from the statement's", st->sql);
    for (size_t i = 0; i < st->count; i++) {
        int code = bind_value(stmt, (int)i + 1, &st->params[i]);
        if (code != SQLITE_OK)
            return grc_lite_complain(conn, code, st->sql);
    }
    return GR_OK;
}

static struct gr_value column(sqlite3_stmt *stmt, int at)
{
    const void *bytes;

    switch (sqlite3_column_type(stmt, at)) {
    case SQLITE_INTEGER:
        return gr_v_int(sqlite3_column_int64(stmt, at));
    case SQLITE_FLOAT:
        return (struct gr_value){.kind = GR_VALUE_REAL, .d = sqlite3_column_double(stmt, at)};
    case SQLITE_TEXT:
        bytes = sqlite3_column_text(stmt, at);
        return (struct gr_value){
            .kind = GR_VALUE_TEXT,
            .s = {bytes ? bytes : "", bytes ? (size_t)sqlite3_column_bytes(stmt, at) : 0}};
    case SQLITE_BLOB:
        bytes = sqlite3_column_blob(stmt, at);
        return (struct gr_value){
            .kind = GR_VALUE_BLOB,
            .s = {bytes ? bytes : "", bytes ? (size_t)sqlite3_column_bytes(stmt, at) : 0}};
    default:
        return gr_v_null();
    }
}

static enum gr_err hand_row(sqlite3_stmt *stmt, struct grc_statement *st)
{
    struct gr_value few[GRC_STORE_FEW_COLUMNS];
    struct gr_value *columns = few;
    int count = sqlite3_column_count(stmt);

    if ((size_t)count > GRC_STORE_FEW_COLUMNS) {
        columns = calloc((size_t)count, sizeof(*columns));
        if (!columns)
            return GR_ERR_NO_MEMORY;
    }
    for (int i = 0; i < count; i++)
        columns[i] = column(stmt, i);
    st->rows++;
    enum gr_err err = st->each(st->arg, columns, (size_t)count);
    if (columns != few)
        free(columns);
    return err;
}

static enum gr_err step_all(struct grc_lite_conn *conn, sqlite3_stmt *stmt,
                            struct grc_statement *st)
{
    for (;;) {
        int code = sqlite3_step(stmt);
        if (code == SQLITE_DONE)
            return GR_OK;
        if (code != SQLITE_ROW)
            return grc_lite_complain(conn, code, st->sql);
        if (!st->each)
            continue;
        enum gr_err err = hand_row(stmt, st);
        if (err != GR_OK)
            return err;
    }
}

static enum gr_err lite_run(struct grc_store_session *session, struct grc_statement *st)
{
    struct grc_lite_conn *conn = (struct grc_lite_conn *)(void *)session;
    struct grc_lite_stmt *stmt = NULL;

    enum gr_err err = prepare(conn, st->sql, &stmt);
    if (!stmt)
        return err;
    stmt->head.busy = true;
    err = bind_all(conn, stmt->stmt, st);
    if (err == GR_OK)
        err = step_all(conn, stmt->stmt, st);
    if (err == GR_OK && st->ret_changed)
        *st->ret_changed =
            grc_sql_kind_of(st->sql) == GRC_SQL_CHANGE && !sqlite3_stmt_readonly(stmt->stmt)
                ? sqlite3_changes64(conn->db)
                : 0;
    /* Its result repeats an error that sqlite3_step() has returned before. */
    (void)sqlite3_reset(stmt->stmt);
    (void)sqlite3_clear_bindings(stmt->stmt);
    stmt->head.busy = false;
    if (!stmt->kept)
        grc_lite_drop_stmt(conn, &stmt->head);
    return err;
}

static enum gr_err exec(struct grc_lite_conn *conn, const char *sql)
{
    int code = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? GR_OK : grc_lite_complain(conn, code, sql);
}

static enum gr_err lite_script(struct grc_store_session *session, const char *sql)
{
    return exec((struct grc_lite_conn *)(void *)session, sql);
}

/* IMMEDIATE takes the write lock now, so that no later statement finds it taken. */
static enum gr_err lite_begin(struct grc_store_session *session, enum grc_begin how)
{
    (void)how;
    return exec((struct grc_lite_conn *)(void *)session, "BEGIN IMMEDIATE");
}

static void lite_rollback(struct grc_store_session *session)
{
    struct grc_lite_conn *conn = (struct grc_lite_conn *)(void *)session;

    /* After some failures SQLite has rolled back by itself. */
    if (!sqlite3_get_autocommit(conn->db))
        (void)exec(conn, "ROLLBACK");
}

static enum gr_err lite_commit(struct grc_store_session *session)
{
    enum gr_err err = exec((struct grc_lite_conn *)(void *)session, "COMMIT");

    if (err != GR_OK)
        lite_rollback(session);
    return err;
}

static const char *lite_step_sql(const struct gr_migration *step)
{
    return step->sql;
}

const struct grc_engine grc_engine_sqlite = {
    .kind = "sqlite",
    .scheme = "sqlite:",
    .table_sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1",
    .open = grc_lite_open,
    .close = grc_lite_close,
    .checkout = grc_lite_checkout,
    .checkin = grc_lite_checkin,
    .begin = lite_begin,
    .commit = lite_commit,
    .rollback = lite_rollback,
    .run = lite_run,
    .script = lite_script,
    .step_sql = lite_step_sql,
};
