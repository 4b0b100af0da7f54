/*
 * The parts of the SQLite engine: sqlite.c has the statements, sqlite_conn.c the file, its
 * connections and their pools.
 */
#pragma once

#include "store/cache.h"
#include "store/engine.h"
#include "store/pool.h"

#include <sqlite3.h>

struct grc_lite_store {
    struct grc_store base;
    char *path;
    struct grc_pool readers;
    struct grc_pool writers;
};

struct grc_lite_conn {
    struct grc_store_session base;
    sqlite3 *db;
    bool writer;
    int64_t busy_until_ms;
    struct grc_cache cache;
};

struct grc_lite_stmt {
    struct grc_cached head;
    sqlite3_stmt *stmt;
    bool kept; /* in the cache */
};

struct grc_store *grc_lite_open(const char *url, bool read_only, char **ret_reason);
void grc_lite_close(struct grc_store *store);
enum gr_err grc_lite_checkout(struct grc_store *store, bool write,
                              struct grc_store_session **ret_session);
void grc_lite_checkin(struct grc_store_session *session);
/* Frees a prepared statement. */
void grc_lite_drop_stmt(void *owner, struct grc_cached *item);
/* Logs the failure of a statement with SQLite's message, and returns the error for its code. */
enum gr_err grc_lite_complain(struct grc_lite_conn *conn, int code, const char *sql);
