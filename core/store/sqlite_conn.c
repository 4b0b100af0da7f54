/*
 * Connections of the SQLite engine. The file is in WAL mode: readers never wait for the writer.
 * There is one writer at a time, and the others wait in a queue, where SQLite alone would let them
 * race. With synchronous=FULL a commit that was acknowledged is on the disk.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"
#include "base/secure.h"
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READERS_MAX 8u
/* How long another process may hold the lock before a statement fails as busy. */
#define BUSY_MS 2000
#define FILE_MODE 0600

/* --- errors --- */

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

enum gr_err grc_lite_complain(struct grc_lite_conn *conn, int code, const char *sql)
{
    char number[16];

    (void)snprintf(number, sizeof(number), "%d", code);
    return grc_store_complain(&grc_engine_sqlite, err_of(code), number, sqlite3_errmsg(conn->db),
                              sql);
}

/* --- connections --- */

/* Another process has the lock: waits in small random steps until BUSY_MS have passed. */
static int on_busy(void *arg, int count)
{
    struct grc_lite_conn *conn = arg;
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

void grc_lite_drop_stmt(void *owner, struct grc_cached *item)
{
    struct grc_lite_stmt *stmt = (struct grc_lite_stmt *)(void *)item;

    (void)owner;
    sqlite3_finalize(stmt->stmt);
    free(stmt);
}

static void conn_free(struct grc_lite_conn *conn)
{
    if (!conn)
        return;
    grc_cache_clear(&conn->cache);
    sqlite3_close(conn->db);
    free(conn);
}

/* Sets the journal mode of the file and checks it, since SQLite reports no error when it fails. */
static int set_wal_once(sqlite3 *db)
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

/* SQLite does not call the busy handler where another process sets the mode of the same new file.
 */
static int set_wal(struct grc_lite_conn *conn)
{
    int count = 0;
    int code;

    do
        code = set_wal_once(conn->db);
    while ((code & 0xff) == SQLITE_BUSY && on_busy(conn, count++));
    return code;
}

static int conn_setup(struct grc_lite_conn *conn)
{
    bool read_only = conn->base.store->read_only;
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
    if (code == SQLITE_OK && !read_only)
        code = set_wal(conn);
    if (code == SQLITE_OK)
        code = sqlite3_exec(conn->db, "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON", NULL, NULL,
                            NULL);
    if (code == SQLITE_OK && (read_only || !conn->writer))
        code = sqlite3_exec(conn->db, "PRAGMA query_only=ON", NULL, NULL, NULL);
    return code;
}

/* Returns NULL with the error, and a malloc'ed reason unless ret_reason is NULL. */
static struct grc_lite_conn *conn_new(struct grc_lite_store *store, bool writer,
                                      enum gr_err *ret_err, char **ret_reason)
{
    const int flags = (store->base.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    struct grc_lite_conn *conn = calloc(1, sizeof(*conn));

    if (!conn) {
        *ret_err = GR_ERR_NO_MEMORY;
        return NULL;
    }
    conn->base.store = &store->base;
    conn->writer = writer;
    conn->cache.drop = grc_lite_drop_stmt;
    conn->cache.owner = conn;
    int code = sqlite3_open_v2(store->path, &conn->db, flags, NULL);
    if (code == SQLITE_OK)
        code = conn_setup(conn);
    if (code == SQLITE_OK)
        return conn;
    *ret_err = conn->db ? grc_lite_complain(conn, code, NULL) : GR_ERR_NO_MEMORY;
    if (ret_reason && conn->db)
        *ret_reason = grc_format("'%s': %s", store->path, sqlite3_errmsg(conn->db));
    conn_free(conn);
    return NULL;
}

enum gr_err grc_lite_checkout(struct grc_store *base, bool write,
                              struct grc_store_session **ret_session)
{
    struct grc_lite_store *store = (struct grc_lite_store *)(void *)base;
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
    struct grc_lite_conn *conn = item;
    *ret_session = &conn->base;
    return GR_OK;
}

void grc_lite_checkin(struct grc_store_session *session)
{
    struct grc_lite_conn *conn = (struct grc_lite_conn *)(void *)session;
    struct grc_lite_store *store = (struct grc_lite_store *)(void *)session->store;
    struct grc_pool *pool = conn->writer ? &store->writers : &store->readers;

    /* A connection that is still in a transaction would lock out all other calls. */
    if (!sqlite3_get_autocommit(conn->db)) {
        conn_free(conn);
        conn = NULL;
    }
    grc_pool_put(pool, conn);
}

/* --- the file --- */

void grc_lite_close(struct grc_store *base)
{
    struct grc_lite_store *store = (struct grc_lite_store *)(void *)base;
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
 * Makes a missing file, unless the store is only read, with mode 0600, since it will hold secrets
 * and SQLite would follow the umask. SQLite gives the files beside it the same mode and owner. An
 * existing file is not opened here: closing it would drop the locks that another store of this
 * process holds on it (POSIX record locks belong to the process).
 */
static char *make_file(const char *path, bool read_only)
{
    struct stat status;
    int fd = read_only ? -1 : open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);

    if (fd >= 0) {
        grc_file_hand_over(fd, path);
        close(fd);
        return NULL;
    }
    if (!read_only && errno != EEXIST)
        return grc_format("cannot make '%s': %s", path, strerror(errno));
    if (stat(path, &status) != 0)
        return grc_format("cannot look at '%s': %s", path, strerror(errno));
    return S_ISREG(status.st_mode) ? NULL : grc_format("'%s' is not a regular file", path);
}

struct grc_store *grc_lite_open(const char *url, bool read_only, char **ret_reason)
{
    const char *path = url + strlen(grc_engine_sqlite.scheme);

    if (!*path || *path == ':') {
        *ret_reason = grc_format("'%s': expected sqlite:PATH with the path of a file", url);
        return NULL;
    }
    char *reason = make_file(path, read_only);
    if (reason) {
        *ret_reason = reason;
        return NULL;
    }
    struct grc_lite_store *store = calloc(1, sizeof(*store));
    if (!store)
        return NULL;
    store->base.engine = &grc_engine_sqlite;
    store->base.read_only = read_only;
    store->path = strdup(path);
    if (!store->path || !grc_pool_init(&store->readers, READERS_MAX) ||
        !grc_pool_init(&store->writers, 1)) {
        grc_lite_close(&store->base);
        return NULL;
    }
    enum gr_err err = GR_OK;
    void *conn = NULL;
    if (grc_pool_take(&store->writers, 0, &conn) == GR_OK)
        conn = conn_new(store, true, &err, &reason);
    grc_pool_put(&store->writers, conn);
    if (!conn) {
        *ret_reason = reason;
        grc_lite_close(&store->base);
        return NULL;
    }
    return &store->base;
}
