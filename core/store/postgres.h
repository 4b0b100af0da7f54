/*
 * The parts of the PostgreSQL engine: postgres.c has the statements, postgres_conn.c the
 * connections and their pool, postgres_exec.c what is sent over one connection.
 */
#pragma once

#include "store/cache.h"
#include "store/engine.h"
#include "store/libpq.h"
#include "store/pool.h"

struct grc_pg_store {
    struct grc_store base;
    char *url;      /* with the password, without pool_max */
    char *password; /* to be removed from every message; NULL: none */
    struct grc_pool pool;
    pthread_mutex_t lock;
    int64_t retry_at_ms; /* no new connection is tried before, because the last attempt failed */
};

struct grc_pg_conn {
    struct grc_store_session base;
    PGconn *pg;
    bool lost;  /* to be closed instead of being reused */
    bool alone; /* a commit did not wait until the standby had it */
    unsigned timeout_ms;
    unsigned names; /* number of statements prepared so far */
    struct grc_cache cache;
};

/* A statement that the server has prepared for one connection. */
struct grc_pg_stmt {
    struct grc_cached head;
    char name[16];
};

struct grc_store *grc_pg_open(const struct grc_engine *engine, const char *url, bool read_only,
                              char **ret_reason);
void grc_pg_close(struct grc_store *store);
enum gr_err grc_pg_checkout(struct grc_store *store, bool write,
                            struct grc_store_session **ret_session);
void grc_pg_checkin(struct grc_store_session *session);
/* Frees a prepared statement and, unless the connection is lost, the server's copy. */
void grc_pg_drop_stmt(void *owner, struct grc_cached *item);

/*
 * Waits for the answer to what has been sent, no longer than the connection's time-out. Of several
 * answers it returns the first error, or the last one. NULL when the connection is lost.
 */
PGresult *grc_pg_wait(struct grc_pg_conn *conn);
/* Sends constant text, waits, and turns a failure into an error. */
enum gr_err grc_pg_exec(struct grc_pg_conn *conn, const char *sql);
/* The SQLSTATE of a failed result; "" when it has none. */
const char *grc_pg_state(const PGresult *result);
/* Returns GR_OK for a good result, else the error for its SQLSTATE, which it logs. result may be
 * NULL. */
enum gr_err grc_pg_verdict(struct grc_pg_conn *conn, const PGresult *result, const char *sql);
