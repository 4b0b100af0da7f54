/* The interface between store.h and its engines. For core/store alone. */
#pragma once

#include "base/buf.h"
#include "store/store.h"

#include <stdatomic.h>

/* Parameters and columns over this size are refused by both engines alike. */
#define GRC_STORE_VALUE_MAX_BYTES (256u << 20)
/* Rows of up to this many columns need no allocation. */
#define GRC_STORE_FEW_COLUMNS 24u
/* How long a statement waits for a free connection before it counts as busy. */
#define GRC_STORE_WAIT_MS 5000

enum grc_begin {
    GRC_BEGIN_WRITE = 1, /* serializable; conflicts end as GR_ERR_STORE_BUSY */
    GRC_BEGIN_SCHEMA,    /* holds the lock for migrations, which all gateways on this store share */
};

/* A statement that an engine runs. */
struct grc_statement {
    const char *sql;
    const struct gr_value *params;
    size_t count;
    gr_row_fn *each;
    void *arg;
    int64_t *ret_changed;
    size_t rows; /* rows passed to `each`; when there is one, the statement must not be repeated */
};

/* See store/clock.h. */
struct grc_store_clock {
    _Atomic int64_t ahead_ms; /* of this machine's time since boot */
    _Atomic int64_t due_ms;   /* since boot: when it is to be asked for again */
    atomic_bool known;
};

/* The first member of an engine's own store. All members but these two are 0 at first. */
struct grc_store {
    const struct grc_engine *engine;
    bool read_only;
    struct grc_store_clock clock;
};

/* The first member of an engine's own connection. */
struct grc_store_session {
    struct grc_store *store;
    bool in_tx;
    enum gr_err doomed; /* the first failure inside of the transaction, which cannot commit then */
};

/*
 * An engine. Functions on a store are thread-safe; a session is used by one call at a time, from
 * checkout to checkin. Engines log failures, and never put a parameter or password into a message.
 */
struct grc_engine {
    const char *kind;      /* "sqlite" */
    const char *scheme;    /* "sqlite:" */
    const char *table_sql; /* asks for a table by its name, ?1; no row: there is none */
    /* Asks for the time in milliseconds since 1970; NULL: the store is on this machine. */
    const char *clock_sql;
    struct grc_store *(*open)(const char *url, bool read_only, char **ret_reason);
    void (*close)(struct grc_store *store);
    /* With write false, the session is for reading statements outside of a transaction. */
    enum gr_err (*checkout)(struct grc_store *store, bool write,
                            struct grc_store_session **ret_session);
    void (*checkin)(struct grc_store_session *session);
    enum gr_err (*begin)(struct grc_store_session *session, enum grc_begin how);
    enum gr_err (*commit)(struct grc_store_session *session);
    void (*rollback)(struct grc_store_session *session);
    enum gr_err (*run)(struct grc_store_session *session, struct grc_statement *statement);
    /* Runs several statements without parameters, for migrations. */
    enum gr_err (*script)(struct grc_store_session *session, const char *sql);
    /* Returns the SQL text of a migration for this engine. */
    const char *(*step_sql)(const struct gr_migration *step);
};

extern const struct grc_engine grc_engine_sqlite;
extern const struct grc_engine grc_engine_postgres;

/* Logs a failed statement at a level that fits err, and returns err. code is the engine's. */
enum gr_err grc_store_complain(const struct grc_engine *engine, enum gr_err err, const char *code,
                               const char *message, const char *sql);
/* Runs a statement in a session. In a transaction, its failure makes the transaction fail. */
enum gr_err grc_store_run_in(struct grc_store_session *session, struct grc_statement *statement);
enum gr_err grc_store_commit_in(struct grc_store_session *session);
void grc_store_rollback_in(struct grc_store_session *session);
