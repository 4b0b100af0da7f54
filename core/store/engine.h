/* What the face of the store asks of an engine. For core/store alone. */
#pragma once

#include "base/buf.h"
#include "store/store.h"

/* Parameters and columns over this size are refused by both engines alike. */
#define GRC_STORE_VALUE_MAX_BYTES (256u << 20)
/* Rows of up to this many columns need no allocation. */
#define GRC_STORE_FEW_COLUMNS 24u
/* How long a statement waits for a free connection before it counts as busy. */
#define GRC_STORE_WAIT_MS 5000

enum grc_begin {
    GRC_BEGIN_WRITE = 1, /* serializable; conflicts end as GR_ERR_STORE_BUSY */
    GRC_BEGIN_SCHEMA,    /* holds the lock that every gateway on this store takes to migrate */
};

/* One statement on its way through an engine. */
struct grc_statement {
    const char *sql;
    const struct gr_value *params;
    size_t count;
    gr_row_fn *each;
    void *arg;
    int64_t *ret_changed;
    size_t rows; /* handed to each so far: after the first one nothing may be repeated */
};

/* First member of an engine's own store. */
struct grc_store {
    const struct grc_engine *engine;
};

/* First member of an engine's own connection. */
struct grc_store_session {
    struct grc_store *store;
    bool in_tx;
    enum gr_err doomed; /* the first failure inside the transaction: it cannot commit any more */
};

/*
 * An engine. Functions on a store are thread-safe; a session belongs to one thread from checkout
 * to checkin. Engines log what failed and never put a parameter or a password into a message.
 */
struct grc_engine {
    const char *kind;   /* "sqlite" */
    const char *scheme; /* "sqlite:" */
    struct grc_store *(*open)(const char *url, char **ret_reason);
    void (*close)(struct grc_store *store);
    /* write false: the session is for reading statements outside of a transaction. */
    enum gr_err (*checkout)(struct grc_store *store, bool write,
                            struct grc_store_session **ret_session);
    void (*checkin)(struct grc_store_session *session);
    enum gr_err (*begin)(struct grc_store_session *session, enum grc_begin how);
    enum gr_err (*commit)(struct grc_store_session *session);
    void (*rollback)(struct grc_store_session *session);
    enum gr_err (*run)(struct grc_store_session *session, struct grc_statement *statement);
    /* Several statements without parameters, for migrations. */
    enum gr_err (*script)(struct grc_store_session *session, const char *sql);
    /* The form of a migration this engine takes. */
    const char *(*step_sql)(const struct gr_migration *step);
};

extern const struct grc_engine grc_engine_sqlite;
extern const struct grc_engine grc_engine_postgres;

/* Logs a failed statement at a level that fits err, and returns err. code is the engine's own. */
enum gr_err grc_store_complain(const struct grc_engine *engine, enum gr_err err, const char *code,
                               const char *message, const char *sql);
/* One statement in a session, with the rules of a transaction. */
enum gr_err grc_store_run_in(struct grc_store_session *session, struct grc_statement *statement);
enum gr_err grc_store_commit_in(struct grc_store_session *session);
void grc_store_rollback_in(struct grc_store_session *session);
