/*
 * Statements of the PostgreSQL engine. Parameters are sent in binary form with the type that fits
 * their kind; answers come as text, which is read by the type of the column. Transactions are
 * serializable, like SQLite's, so that plugins see the same behaviour with both.
 */
#include "store/postgres.h"
#include "base/secure.h"
#include "store/sql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The types of pg_type that are not read as text. */
#define OID_BOOL 16u
#define OID_BYTEA 17u
#define OID_INT8 20u
#define OID_INT2 21u
#define OID_INT4 23u
#define OID_TEXT 25u
#define OID_OID 26u
#define OID_FLOAT4 700u
#define OID_FLOAT8 701u
#define OID_NUMERIC 1700u

#define PARAMS_MAX 1000u
#define SQL_MAX_BYTES (256u << 10)
/* Longer than for other statements, since a migration may rewrite a large table. */
#define SCHEMA_MS 605000u

/* The parameters of a statement in the form that libpq takes. */
struct pg_params {
    Oid *types;
    const char **values;
    int *lengths;
    int *formats;
    uint64_t *numbers; /* in network byte order */
};

/* ------------------------------------------------------------------------------------------ */
/* Parameters                                                                                 */

static void params_done(struct pg_params *params)
{
    free(params->types);
    free(params->values);
    free(params->lengths);
    free(params->formats);
    free(params->numbers);
}

static bool params_init(struct pg_params *params, size_t count)
{
    size_t room = count ? count : 1;

    *params = (struct pg_params){
        .types = calloc(room, sizeof(*params->types)),
        .values = calloc(room, sizeof(*params->values)),
        .lengths = calloc(room, sizeof(*params->lengths)),
        .formats = calloc(room, sizeof(*params->formats)),
        .numbers = calloc(room, sizeof(*params->numbers)),
    };
    if (params->types && params->values && params->lengths && params->formats && params->numbers)
        return true;
    params_done(params);
    return false;
}

static void param_number(struct pg_params *params, size_t i, uint64_t bits, Oid type)
{
    unsigned char *bytes = (unsigned char *)&params->numbers[i];

    for (int at = 7; at >= 0; at--) {
        bytes[at] = (unsigned char)(bits & 0xffu);
        bits >>= 8;
    }
    params->types[i] = type;
    params->values[i] = (const char *)bytes;
    params->lengths[i] = 8;
}

/* NULL is sent without a type, and the server infers it from the statement. */
static void param_set(struct pg_params *params, size_t i, const struct gr_value *value)
{
    uint64_t bits;

    params->formats[i] = 1;
    switch (value->kind) {
    case GR_VALUE_INT:
        param_number(params, i, (uint64_t)value->i, OID_INT8);
        break;
    case GR_VALUE_REAL:
        memcpy(&bits, &value->d, sizeof(bits));
        param_number(params, i, bits, OID_FLOAT8);
        break;
    case GR_VALUE_TEXT:
    case GR_VALUE_BLOB:
        params->types[i] = value->kind == GR_VALUE_TEXT ? OID_TEXT : OID_BYTEA;
        params->values[i] = value->s.ptr ? value->s.ptr : "";
        params->lengths[i] = (int)value->s.len;
        break;
    case GR_VALUE_NULL:
        break;
    }
}

/* ------------------------------------------------------------------------------------------ */
/* Prepared statements                                                                        */

/* The key has the types of the parameters too, since they are part of a prepared statement. */
static enum gr_err make_key(struct grc_buf *key, const struct grc_statement *st)
{
    static const char letters[] = {[GR_VALUE_NULL] = 'n',
                                   [GR_VALUE_INT] = 'i',
                                   [GR_VALUE_REAL] = 'r',
                                   [GR_VALUE_TEXT] = 't',
                                   [GR_VALUE_BLOB] = 'b'};
    enum gr_err err = GR_OK;

    for (size_t i = 0; i < st->count && err == GR_OK; i++)
        err = grc_buf_char(key, letters[st->params[i].kind]);
    if (err == GR_OK)
        err = grc_buf_char(key, ':');
    if (err == GR_OK)
        err = grc_buf_text(key, st->sql);
    return err;
}

static enum gr_err translate(struct grc_buf *sql, const struct grc_statement *st)
{
    unsigned highest = 0;

    enum gr_err err = grc_sql_dollars(sql, st->sql, &highest);
    if (err == GR_ERR_NO_MEMORY)
        return err;
    if (err != GR_OK)
        return grc_store_complain(
            &grc_engine_postgres, GR_ERR_STORE, "parameters",
            "a parameter number is out of range, or the statement is too long", st->sql);
    if (highest != st->count)
        return grc_store_complain(&grc_engine_postgres, GR_ERR_STORE, "parameters",
                                  "number of parameters differs from the statement's", st->sql);
    return GR_OK;
}

static enum gr_err server_prepare(struct grc_pg_conn *conn, struct grc_pg_stmt *stmt,
                                  const struct grc_statement *st, const Oid *types)
{
    struct grc_buf sql;
    PGresult *result = NULL;

    grc_buf_init(&sql, SQL_MAX_BYTES);
    enum gr_err err = translate(&sql, st);
    if (err == GR_OK) {
        (void)snprintf(stmt->name, sizeof(stmt->name), "gr_%u", ++conn->names);
        if (grc_pq()->PQsendPrepare(conn->pg, stmt->name, sql.ptr, (int)st->count, types))
            result = grc_pg_wait(conn);
        err = grc_pg_verdict(conn, result, st->sql);
    }
    if (err != GR_OK)
        stmt->name[0] = '\0';
    grc_pq()->PQclear(result);
    grc_buf_done(&sql);
    return err;
}

static enum gr_err prepare(struct grc_pg_conn *conn, const struct grc_statement *st,
                           const Oid *types, struct grc_pg_stmt **ret_stmt)
{
    struct grc_pg_stmt *stmt = NULL;
    struct grc_buf key;

    grc_buf_init(&key, SQL_MAX_BYTES);
    enum gr_err err = make_key(&key, st);
    if (err != GR_OK)
        goto done;
    stmt = (struct grc_pg_stmt *)(void *)grc_cache_find(&conn->cache, grc_buf_view(&key));
    if (stmt)
        goto done;
    stmt = calloc(1, sizeof(*stmt));
    err = stmt ? server_prepare(conn, stmt, st, types) : GR_ERR_NO_MEMORY;
    if (err == GR_OK && !grc_cache_add(&conn->cache, grc_buf_view(&key), &stmt->head))
        err = GR_ERR_NO_MEMORY;
    if (err != GR_OK && stmt)
        grc_pg_drop_stmt(conn, &stmt->head);
done:
    grc_buf_done(&key);
    if (err == GR_OK)
        *ret_stmt = stmt;
    return err;
}

/* ------------------------------------------------------------------------------------------ */
/* Rows                                                                                       */

/* Decodes "\x0102…", the server's form with bytea_output = hex. */
static struct gr_value blob_of(const char *text, size_t len, struct grc_buf *scratch)
{
    size_t start = scratch->len;

    for (size_t i = 2; i + 1 < len; i += 2)
        scratch->ptr[scratch->len++] =
            (char)(grc_hex_digit(text[i]) << 4 | grc_hex_digit(text[i + 1]));
    return (struct gr_value){.kind = GR_VALUE_BLOB,
                             .s = {scratch->ptr + start, scratch->len - start}};
}

/* Reads a number; a whole one that fits becomes an integer, as in SQLite. PostgreSQL's sum() over
 * integers is numeric, for example. */
static struct gr_value number_of(const char *text)
{
    char *end = NULL;

    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (!errno && end != text && !*end)
        return gr_v_int(whole);
    return (struct gr_value){.kind = GR_VALUE_REAL, .d = strtod(text, NULL)};
}

static struct gr_value column(const PGresult *result, int row, int at, struct grc_buf *scratch)
{
    if (grc_pq()->PQgetisnull(result, row, at))
        return gr_v_null();
    const char *text = grc_pq()->PQgetvalue(result, row, at);
    size_t len = (size_t)grc_pq()->PQgetlength(result, row, at);
    switch (grc_pq()->PQftype(result, at)) {
    case OID_BOOL:
        return gr_v_int(text[0] == 't');
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_OID:
    case OID_NUMERIC:
        return number_of(text);
    case OID_FLOAT4:
    case OID_FLOAT8:
        return (struct gr_value){.kind = GR_VALUE_REAL, .d = strtod(text, NULL)};
    case OID_BYTEA:
        return blob_of(text, len, scratch);
    default:
        return (struct gr_value){.kind = GR_VALUE_TEXT, .s = {text, len}};
    }
}

/* Makes room for all blobs of a row at once, so that decoding one does not move another. */
static enum gr_err row_room(const PGresult *result, int row, int count, struct grc_buf *scratch)
{
    size_t bytes = 0;

    for (int i = 0; i < count; i++) {
        if (grc_pq()->PQftype(result, i) == OID_BYTEA)
            bytes += (size_t)grc_pq()->PQgetlength(result, row, i);
    }
    grc_buf_clear(scratch);
    return bytes ? grc_buf_reserve(scratch, bytes) : GR_OK;
}

static enum gr_err hand_rows(const PGresult *result, struct grc_statement *st)
{
    struct gr_value few[GRC_STORE_FEW_COLUMNS];
    struct gr_value *columns = few;
    struct grc_buf scratch;
    int count = grc_pq()->PQnfields(result);
    enum gr_err err = GR_OK;

    if ((size_t)count > GRC_STORE_FEW_COLUMNS) {
        columns = calloc((size_t)count, sizeof(*columns));
        if (!columns)
            return GR_ERR_NO_MEMORY;
    }
    grc_buf_init(&scratch, SIZE_MAX / 4);
    for (int row = 0; row < grc_pq()->PQntuples(result) && err == GR_OK; row++) {
        err = row_room(result, row, count, &scratch);
        for (int i = 0; i < count && err == GR_OK; i++)
            columns[i] = column(result, row, i, &scratch);
        if (err == GR_OK) {
            st->rows++;
            err = st->each(st->arg, columns, (size_t)count);
        }
    }
    grc_buf_done(&scratch);
    if (columns != few)
        free(columns);
    return err;
}

static int64_t changed_of(PGresult *result, const struct grc_statement *st)
{
    if (grc_sql_kind_of(st->sql) != GRC_SQL_CHANGE ||
        strncmp(grc_pq()->PQcmdStatus(result), "SELECT", 6) == 0)
        return 0;
    return strtoll(grc_pq()->PQcmdTuples(result), NULL, 10);
}

/* ------------------------------------------------------------------------------------------ */
/* Running                                                                                    */

/* True when the server no longer accepts a prepared statement, because the schema has changed or a
 * connection pooler between has dropped it. */
static bool is_stale(const PGresult *result)
{
    return result && grc_pq()->PQresultStatus(result) == PGRES_FATAL_ERROR &&
           (strcmp(grc_pg_state(result), "0A000") == 0 ||
            strcmp(grc_pg_state(result), "26000") == 0);
}

static enum gr_err send_stmt(struct grc_pg_conn *conn, struct grc_statement *st,
                             const struct pg_params *params, bool *ret_stale)
{
    struct grc_pg_stmt *stmt = NULL;
    PGresult *result = NULL;

    enum gr_err err = prepare(conn, st, params->types, &stmt);
    if (err != GR_OK)
        return err;
    if (grc_pq()->PQsendQueryPrepared(conn->pg, stmt->name, (int)st->count, params->values,
                                      params->lengths, params->formats, 0))
        result = grc_pg_wait(conn);
    *ret_stale = is_stale(result);
    if (*ret_stale) {
        grc_cache_remove(&conn->cache, &stmt->head);
        grc_pq()->PQclear(result);
        return GR_ERR_STORE_BUSY;
    }
    err = grc_pg_verdict(conn, result, st->sql);
    if (err == GR_OK && st->each && grc_pq()->PQresultStatus(result) == PGRES_TUPLES_OK)
        err = hand_rows(result, st);
    if (err == GR_OK && st->ret_changed)
        *st->ret_changed = changed_of(result, st);
    grc_pq()->PQclear(result);
    return err;
}

static enum gr_err pg_run(struct grc_store_session *session, struct grc_statement *st)
{
    struct grc_pg_conn *conn = (struct grc_pg_conn *)(void *)session;
    struct pg_params params;
    bool stale = false;

    if (conn->lost)
        return GR_ERR_STORE_DOWN;
    if (st->count > PARAMS_MAX)
        return GR_ERR_STORE;
    if (!params_init(&params, st->count))
        return GR_ERR_NO_MEMORY;
    for (size_t i = 0; i < st->count; i++)
        param_set(&params, i, &st->params[i]);
    enum gr_err err = send_stmt(conn, st, &params, &stale);
    /* A transaction has failed as a whole, and grc_store_tx() repeats it as a whole. */
    if (stale && !session->in_tx)
        err = send_stmt(conn, st, &params, &stale);
    params_done(&params);
    return err;
}

static enum gr_err pg_script(struct grc_store_session *session, const char *sql)
{
    return grc_pg_exec((struct grc_pg_conn *)(void *)session, sql);
}

/*
 * The schema lock ends with the transaction. Its number, "gr" and "mi" in ASCII, is one that no
 * other program is likely to use. The transaction is READ COMMITTED, so that it sees the steps that
 * the last holder of the lock has applied.
 */
static enum gr_err pg_begin(struct grc_store_session *session, enum grc_begin how)
{
    struct grc_pg_conn *conn = (struct grc_pg_conn *)(void *)session;

    if (how == GRC_BEGIN_WRITE)
        return grc_pg_exec(conn, "BEGIN ISOLATION LEVEL SERIALIZABLE");
    unsigned usual_ms = conn->timeout_ms;
    conn->timeout_ms = SCHEMA_MS;
    enum gr_err err = grc_pg_exec(conn, "BEGIN ISOLATION LEVEL READ COMMITTED;"
                                        " SET LOCAL statement_timeout = '10min';"
                                        " SET LOCAL lock_timeout = '5min';"
                                        " SELECT pg_advisory_xact_lock(26482, 28009)");
    if (err != GR_OK)
        conn->timeout_ms = usual_ms;
    return err;
}

static void pg_rollback(struct grc_store_session *session)
{
    struct grc_pg_conn *conn = (struct grc_pg_conn *)(void *)session;

    if (!conn->lost)
        (void)grc_pg_exec(conn, "ROLLBACK");
}

static enum gr_err pg_commit(struct grc_store_session *session)
{
    struct grc_pg_conn *conn = (struct grc_pg_conn *)(void *)session;
    PGresult *result = NULL;

    if (conn->lost)
        return GR_ERR_STORE_DOWN;
    if (grc_pq()->PQsendQuery(conn->pg, "COMMIT"))
        result = grc_pg_wait(conn);
    enum gr_err err = grc_pg_verdict(conn, result, "COMMIT");
    /* The server answers the COMMIT of a failed transaction with ROLLBACK, and no error. */
    if (err == GR_OK && strcmp(grc_pq()->PQcmdStatus(result), "COMMIT") != 0)
        err = GR_ERR_STORE;
    grc_pq()->PQclear(result);
    return err;
}

static const char *pg_step_sql(const struct gr_migration *step)
{
    return step->postgres ? step->postgres : step->sql;
}

static struct grc_store *pg_open(const char *url, bool read_only, char **ret_reason)
{
    return grc_pg_open(&grc_engine_postgres, url, read_only, ret_reason);
}

const struct grc_engine grc_engine_postgres = {
    .kind = "postgres",
    .scheme = "postgres://",
    .table_sql = "SELECT 1 WHERE to_regclass(?1) IS NOT NULL",
    .open = pg_open,
    .close = grc_pg_close,
    .checkout = grc_pg_checkout,
    .checkin = grc_pg_checkin,
    .begin = pg_begin,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .run = pg_run,
    .script = pg_script,
    .clock_sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    .step_sql = pg_step_sql,
};
