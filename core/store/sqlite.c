/*
 * The SQLite engine. The file is in WAL mode: readers never wait for the writer. There is one
 * writer at a time, and the others wait in a queue, where SQLite alone would let them race. With
 * synchronous=FULL a commit that was acknowledged is on the disk.
 */
#include "base/clock.h"
#include "base/format.h"
#include "base/secure.h"
#include "store/cache.h"
#include "store/engine.h"
#include "store/pool.h"
#include "store/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READERS_MAX 8u
/* How long another process may hold the lock before a statement fails as busy. */
#define BUSY_MS 2000
#define FILE_MODE 0600

struct lite_store {
    struct grc_store base;
    char *path;
    struct grc_pool readers;
    struct grc_pool writers;
};

struct lite_conn {
    struct grc_store_session base;
    sqlite3 *db;
    bool writer;
    int64_t busy_until_ms;
    struct grc_cache cache;
};

struct lite_stmt {
    struct grc_cached head;
    sqlite3_stmt *stmt;
    bool kept; /* in the cache */
};

/* ------------------------------------------------------------------------------------------ */
/* Errors                                                                                     */

static enum gr_err err_of_constraint(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return GR_ERR_STORE_UNIQUE;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return GR_ERR_STORE_FOREIGN;
    default:
        return GR_ERR_STORE_CHECK;
    }
}

static enum gr_err err_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return GR_OK;
    case SQLITE_CONSTRAINT:
        return err_of_constraint(code);
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return GR_ERR_STORE_CHECK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return GR_ERR_STORE_BUSY;
    case SQLITE_NOMEM:
        return GR_ERR_NO_MEMORY;
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOTADB:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return GR_ERR_STORE_DOWN;
    default:
        return GR_ERR_STORE;
    }
}

static enum gr_err complain(struct lite_conn *conn, int code, const char *sql)
{
    char number[16];

    (void)snprintf(number, sizeof(number), "%d", code);
    return grc_store_complain(&grc_engine_sqlite, err_of(code), number, sqlite3_errmsg(conn->db),
                              sql);
}

/* ------------------------------------------------------------------------------------------ */
/* Connections                                                                                */

/* Another process has the lock: waits in small random steps until BUSY_MS have passed. */
static int on_busy(void *arg, int count)
{
    struct lite_conn *conn = arg;
    int64_t now_ms = grc_mono_ms();

    if (count == 0)
        conn->busy_until_ms = now_ms + BUSY_MS;
    if (now_ms >= conn->busy_until_ms)
        return 0;
    uint64_t span_us = 500u << (count < 6 ? count : 6);
    struct timespec wait = {.tv_nsec = (long)(200 + grc_random_fast() % span_us) * 1000L};
    (void)nanosleep(&wait, NULL);
    return 1;
}

static void drop_stmt(void *owner, struct grc_cached *item)
{
    struct lite_stmt *stmt = (struct lite_stmt *)(void *)item;

    (void)owner;
    sqlite3_finalize(stmt->stmt);
    free(stmt);
}

static void conn_free(struct lite_conn *conn)
{
    if (!conn)
        return;
    grc_cache_clear(&conn->cache);
    sqlite3_close(conn->db);
    free(conn);
}

/* Sets the journal mode of the file and checks it, since SQLite reports no error when it fails. */
static int set_wal(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;

    int code = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(stmt, 0);
        code = mode && strcmp(mode, "wal") == 0 ? SQLITE_OK : SQLITE_CANTOPEN;
    }
    sqlite3_finalize(stmt);
    return code;
}

static int conn_setup(struct lite_conn *conn)
{
    int code = sqlite3_extended_result_codes(conn->db, 1);

    if (code == SQLITE_OK)
        code = sqlite3_busy_handler(conn->db, on_busy, conn);
    if (code == SQLITE_OK)
        code = sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    if (code == SQLITE_OK)
        code = sqlite3_db_config(conn->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    /* Text in double quotes is a name, as in PostgreSQL, and never taken for a string. */
    if (code == SQLITE_OK)
        code = sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
    if (code == SQLITE_OK)
        code = sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL);
    if (code == SQLITE_OK)
        code = sqlite3_limit(conn->db, SQLITE_LIMIT_ATTACHED, 0) < 0 ? SQLITE_ERROR : SQLITE_OK;
    if (code == SQLITE_OK)
        code = set_wal(conn->db);
    if (code == SQLITE_OK)
        code = sqlite3_exec(conn->db, "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON", NULL, NULL,
                            NULL);
    if (code == SQLITE_OK && !conn->writer)
        code = sqlite3_exec(conn->db, "PRAGMA query_only=ON", NULL, NULL, NULL);
    return code;
}

/* Returns NULL with the error, and a malloc'ed reason unless ret_reason is NULL. */
static struct lite_conn *conn_new(struct lite_store *store, bool writer, enum gr_err *ret_err,
                                  char **ret_reason)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    struct lite_conn *conn = calloc(1, sizeof(*conn));

    if (!conn) {
        *ret_err = GR_ERR_NO_MEMORY;
        return NULL;
    }
    conn->base.store = &store->base;
    conn->writer = writer;
    conn->cache.drop = drop_stmt;
    conn->cache.owner = conn;
    int code = sqlite3_open_v2(store->path, &conn->db, flags, NULL);
    if (code == SQLITE_OK)
        code = conn_setup(conn);
    if (code == SQLITE_OK)
        return conn;
    *ret_err = conn->db ? complain(conn, code, NULL) : GR_ERR_NO_MEMORY;
    if (ret_reason && conn->db)
        *ret_reason = grc_format("'%s': %s", store->path, sqlite3_errmsg(conn->db));
    conn_free(conn);
    return NULL;
}

static enum gr_err lite_checkout(struct grc_store *base, bool write,
                                 struct grc_store_session **ret_session)
{
    struct lite_store *store = (struct lite_store *)(void *)base;
    struct grc_pool *pool = write ? &store->writers : &store->readers;
    void *item = NULL;

    enum gr_err err = grc_pool_take(pool, GRC_STORE_WAIT_MS, &item);
    if (err != GR_OK)
        return err;
    if (!item) {
        item = conn_new(store, write, &err, NULL);
        if (!item) {
            grc_pool_put(pool, NULL);
            return err;
        }
    }
    struct lite_conn *conn = item;
    *ret_session = &conn->base;
    return GR_OK;
}

static void lite_checkin(struct grc_store_session *session)
{
    struct lite_conn *conn = (struct lite_conn *)(void *)session;
    struct lite_store *store = (struct lite_store *)(void *)session->store;
    struct grc_pool *pool = conn->writer ? &store->writers : &store->readers;

    /* A connection that is still in a transaction would lock out all other calls. */
    if (!sqlite3_get_autocommit(conn->db)) {
        conn_free(conn);
        conn = NULL;
    }
    grc_pool_put(pool, conn);
}

/* ------------------------------------------------------------------------------------------ */
/* Statements                                                                                 */

static enum gr_err prepare(struct lite_conn *conn, const char *sql, struct lite_stmt **ret_stmt)
{
    struct grc_cached *cached = grc_cache_find(&conn->cache, gr_str_of(sql));

    if (cached && !cached->busy) {
        *ret_stmt = (struct lite_stmt *)(void *)cached;
        return GR_OK;
    }
    struct lite_stmt *stmt = calloc(1, sizeof(*stmt));
    if (!stmt)
        return GR_ERR_NO_MEMORY;
    const char *tail = NULL;
    int code = sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->stmt, &tail);
    if (code != SQLITE_OK || !stmt->stmt || (tail && tail[strspn(tail, " \t\r\n;")])) {
        sqlite3_finalize(stmt->stmt);
        free(stmt);
        if (code != SQLITE_OK)
            return complain(conn, code, sql);
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

static enum gr_err bind_all(struct lite_conn *conn, sqlite3_stmt *stmt,
                            const struct grc_statement *st)
{
    if ((size_t)sqlite3_bind_parameter_count(stmt) != st->count)
        return grc_store_complain(&grc_engine_sqlite, GR_ERR_STORE, "parameters",
                                  "number of parameters differs from the statement's", st->sql);
    for (size_t i = 0; i < st->count; i++) {
        int code = bind_value(stmt, (int)i + 1, &st->params[i]);
        if (code != SQLITE_OK)
            return complain(conn, code, st->sql);
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

static enum gr_err step_all(struct lite_conn *conn, sqlite3_stmt *stmt, struct grc_statement *st)
{
    for (;;) {
        int code = sqlite3_step(stmt);
        if (code == SQLITE_DONE)
            return GR_OK;
        if (code != SQLITE_ROW)
            return complain(conn, code, st->sql);
        if (!st->each)
            continue;
        enum gr_err err = hand_row(stmt, st);
        if (err != GR_OK)
            return err;
    }
}

static enum gr_err lite_run(struct grc_store_session *session, struct grc_statement *st)
{
    struct lite_conn *conn = (struct lite_conn *)(void *)session;
    struct lite_stmt *stmt = NULL;

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
        drop_stmt(conn, &stmt->head);
    return err;
}

static enum gr_err exec(struct lite_conn *conn, const char *sql)
{
    int code = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? GR_OK : complain(conn, code, sql);
}

static enum gr_err lite_script(struct grc_store_session *session, const char *sql)
{
    return exec((struct lite_conn *)(void *)session, sql);
}

/* IMMEDIATE takes the write lock now, so that no later statement finds it taken. */
static enum gr_err lite_begin(struct grc_store_session *session, enum grc_begin how)
{
    (void)how;
    return exec((struct lite_conn *)(void *)session, "BEGIN IMMEDIATE");
}

static void lite_rollback(struct grc_store_session *session)
{
    struct lite_conn *conn = (struct lite_conn *)(void *)session;

    /* After some failures SQLite has rolled back by itself. */
    if (!sqlite3_get_autocommit(conn->db))
        (void)exec(conn, "ROLLBACK");
}

static enum gr_err lite_commit(struct grc_store_session *session)
{
    enum gr_err err = exec((struct lite_conn *)(void *)session, "COMMIT");

    if (err != GR_OK)
        lite_rollback(session);
    return err;
}

static const char *lite_step_sql(const struct gr_migration *step)
{
    return step->sql;
}

/* ------------------------------------------------------------------------------------------ */
/* The store                                                                                  */

static void lite_close(struct grc_store *base)
{
    struct lite_store *store = (struct lite_store *)(void *)base;
    void *conn;

    if (store->readers.idle) {
        while ((conn = grc_pool_drain(&store->readers)) != NULL)
            conn_free(conn);
        grc_pool_done(&store->readers);
    }
    if (store->writers.idle) {
        while ((conn = grc_pool_drain(&store->writers)) != NULL)
            conn_free(conn);
        grc_pool_done(&store->writers);
    }
    free(store->path);
    free(store);
}

/*
 * Makes a missing file with mode 0600, since it will hold secrets and SQLite would follow the
 * umask. SQLite gives the files beside it the same mode. An existing file is not opened here:
 * closing it would drop the locks that another store of this process holds on it (POSIX record
 * locks belong to the process).
 */
static char *make_file(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);

    if (fd >= 0) {
        close(fd);
        return NULL;
    }
    if (errno != EEXIST)
        return grc_format("cannot make '%s': %s", path, strerror(errno));
    if (stat(path, &status) != 0)
        return grc_format("cannot look at '%s': %s", path, strerror(errno));
    return S_ISREG(status.st_mode) ? NULL : grc_format("'%s' is not a regular file", path);
}

static struct grc_store *lite_open(const char *url, char **ret_reason)
{
    const char *path = url + strlen(grc_engine_sqlite.scheme);

    if (!*path || *path == ':') {
        *ret_reason = grc_format("'%s': expected sqlite:PATH with the path of a file", url);
        return NULL;
    }
    char *reason = make_file(path);
    if (reason) {
        *ret_reason = reason;
        return NULL;
    }
    struct lite_store *store = calloc(1, sizeof(*store));
    if (!store)
        return NULL;
    store->base.engine = &grc_engine_sqlite;
    store->path = strdup(path);
    if (!store->path || !grc_pool_init(&store->readers, READERS_MAX) ||
        !grc_pool_init(&store->writers, 1)) {
        lite_close(&store->base);
        return NULL;
    }
    enum gr_err err = GR_OK;
    void *conn = NULL;
    if (grc_pool_take(&store->writers, 0, &conn) == GR_OK)
        conn = conn_new(store, true, &err, &reason);
    grc_pool_put(&store->writers, conn);
    if (!conn) {
        *ret_reason = reason;
        lite_close(&store->base);
        return NULL;
    }
    return &store->base;
}

const struct grc_engine grc_engine_sqlite = {
    .kind = "sqlite",
    .scheme = "sqlite:",
    .open = lite_open,
    .close = lite_close,
    .checkout = lite_checkout,
    .checkin = lite_checkin,
    .begin = lite_begin,
    .commit = lite_commit,
    .rollback = lite_rollback,
    .run = lite_run,
    .script = lite_script,
    .step_sql = lite_step_sql,
};
