/*
 * Work on one connection of the PostgreSQL engine: sending text, waiting for the answer with a
 * deadline, and the meaning of a SQLSTATE.
 */
#include "base/clock.h"
#include "loop/fiber.h"
#include "loop/wait.h"
#include "store/postgres.h"

#include <stdio.h>
#include <stdlib.h>

/* ------------------------------------------------------------------------------------------ */
/* Waiting                                                                                    */

/* Waits for the connection, without holding a thread on a fiber. A client that has left does not
 * end the wait, since the connection would be lost with its transaction. */
static bool wait_for(PGconn *pg, bool unsent, int64_t deadline_ms)
{
    bool shielded = grc_fiber_shield(true);
    enum grc_woken woken = grc_wait_fd(grc_pq()->PQsocket(pg), GRC_READ | (unsent ? GRC_WRITE : 0),
                                       deadline_ms, GRC_WAITS_STATEMENT);

    grc_fiber_shield(shielded);
    return woken == GRC_WOKEN_READY;
}

/* Sends and receives until an answer is complete. Returns false when the connection is lost. */
static bool pump(PGconn *pg, int64_t deadline_ms)
{
    for (;;) {
        int unsent = grc_pq()->PQflush(pg);
        if (unsent < 0)
            return false;
        if (unsent == 0 && !grc_pq()->PQisBusy(pg))
            return true;
        if (!wait_for(pg, unsent != 0, deadline_ms) || !grc_pq()->PQconsumeInput(pg))
            return false;
    }
}

PGresult *grc_pg_wait(struct grc_pg_conn *conn)
{
    int64_t deadline_ms = grc_mono_ms() + conn->timeout_ms;
    PGresult *kept = NULL;

    for (;;) {
        if (!pump(conn->pg, deadline_ms)) {
            conn->lost = true;
            /* An error that the server sent before it closed the connection says more. */
            if (kept && grc_pq()->PQresultStatus(kept) == PGRES_FATAL_ERROR)
                return kept;
            grc_pq()->PQclear(kept);
            return NULL;
        }
        PGresult *next = grc_pq()->PQgetResult(conn->pg);
        if (!next)
            return kept;
        if (kept && grc_pq()->PQresultStatus(kept) == PGRES_FATAL_ERROR) {
            grc_pq()->PQclear(next);
            continue;
        }
        grc_pq()->PQclear(kept);
        kept = next;
    }
}

/* ------------------------------------------------------------------------------------------ */
/* Errors                                                                                     */

struct state_err {
    const char *state; /* a SQLSTATE or the beginning of one */
    enum gr_err err;
};

/* The first row that matches is used. */
static const struct state_err state_errs[] = {
    {"23505", GR_ERR_STORE_UNIQUE},  {"23P01", GR_ERR_STORE_UNIQUE},
    {"23503", GR_ERR_STORE_FOREIGN}, {"23001", GR_ERR_STORE_FOREIGN},
    {"23", GR_ERR_STORE_CHECK},      {"22", GR_ERR_STORE_CHECK},
    {"40001", GR_ERR_STORE_BUSY},    {"40P01", GR_ERR_STORE_BUSY},
    {"55P03", GR_ERR_STORE_BUSY},    {"57014", GR_ERR_STORE_BUSY},
    {"08", GR_ERR_STORE_DOWN},       {"57P", GR_ERR_STORE_DOWN},
    {"25006", GR_ERR_STORE_DOWN},    {"25P03", GR_ERR_STORE_DOWN},
    {"53", GR_ERR_STORE_DOWN},       {"58", GR_ERR_STORE_DOWN},
};

static enum gr_err err_of_state(const char *state)
{
    for (size_t i = 0; i < sizeof(state_errs) / sizeof(state_errs[0]); i++) {
        if (strncmp(state, state_errs[i].state, strlen(state_errs[i].state)) == 0)
            return state_errs[i].err;
    }
    return GR_ERR_STORE;
}

const char *grc_pg_state(const PGresult *result)
{
    const char *state = grc_pq()->PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state ? state : "";
}

enum gr_err grc_pg_verdict(struct grc_pg_conn *conn, const PGresult *result, const char *sql)
{
    if (!result) {
        conn->lost = true;
        return grc_store_complain(conn->base.store->engine, GR_ERR_STORE_DOWN, "gone",
                                  "connection lost or no answer in time", sql);
    }
    ExecStatusType status = grc_pq()->PQresultStatus(result);
    if (conn->alone) {
        conn->lost = true;
        return grc_store_complain(conn->base.store->engine, GR_ERR_STORE_DOWN, "alone",
                                  "the wait for the standby was cancelled", sql);
    }
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY)
        return GR_OK;
    const char *state = grc_pg_state(result);
    const char *message = grc_pq()->PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    enum gr_err err = *state ? err_of_state(state) : GR_ERR_STORE_DOWN;
    if (err == GR_ERR_STORE_DOWN)
        conn->lost = true;
    /* Messages of data exceptions quote the data, which must not be logged. */
    if (strncmp(state, "22", 2) == 0 || !message)
        message = "a value that does not fit";
    return grc_store_complain(conn->base.store->engine, err, state, message, sql);
}

enum gr_err grc_pg_exec(struct grc_pg_conn *conn, const char *sql)
{
    PGresult *result = NULL;

    if (grc_pq()->PQsendQuery(conn->pg, sql))
        result = grc_pg_wait(conn);
    enum gr_err err = grc_pg_verdict(conn, result, sql);
    grc_pq()->PQclear(result);
    return err;
}

void grc_pg_drop_stmt(void *owner, struct grc_cached *item)
{
    struct grc_pg_conn *conn = owner;
    struct grc_pg_stmt *stmt = (struct grc_pg_stmt *)(void *)item;
    char sql[40];

    /* The server refuses this inside of a failed transaction. It then keeps the statement until the
     * connection ends. */
    if (!conn->lost && stmt->name[0] &&
        grc_pq()->PQtransactionStatus(conn->pg) != PQTRANS_INERROR) {
        (void)snprintf(sql, sizeof(sql), "DEALLOCATE %s", stmt->name);
        (void)grc_pg_exec(conn, sql);
    }
    free(stmt);
}
