/* The services of the store. A transaction belongs to its call. */
#include "base/clock.h"
#include "base/err.h"
#include "call/host.h"
#include "call/spans.h"
#include "store/clock.h"
#include "store/sql.h"

#include <stdio.h>

/* The span has only the first word of the statement and its table, since the text may hold values.
 */
static void end_statement(const struct grc_call *call, const struct grc_part *part, const char *sql,
                          enum gr_err err)
{
    bool sqlite = strcmp(grc_store_kind(call->runtime->store), "sqlite") == 0;
    char operation[16];
    char table[64];
    char name[96];

    grc_sql_summary(sql, operation, sizeof(operation), table, sizeof(table));
    snprintf(name, sizeof(name), "%s%s%s", operation, table[0] ? " " : "", table);
    grc_part_end(call, part, GRC_SPAN_CLIENT, name, err,
                 GRC_LOG_FIELDS(GRC_LT("db.system.name", sqlite ? "sqlite" : "postgresql"),
                                GRC_LT("db.operation.name", operation),
                                GRC_LT("db.collection.name", table),
                                GRC_LT("error.type", err != GR_OK ? grc_err_slug(err) : "")));
}

/* A change whose connection broke may have been made. */
static void note_change(struct grc_call *call, enum gr_err err)
{
    call->acted = call->acted || err == GR_OK || err == GR_ERR_STORE_DOWN;
}

enum gr_err grc_host_store_run(struct gr_call *pub, const char *sql, const struct gr_value *params,
                               size_t count, gr_row_fn *each, void *arg, int64_t *ret_changed)
{
    struct grc_call *call = grc_call_of(pub);

    if (!call->runtime->store)
        return GR_ERR_STORE_DOWN;
    struct grc_part part;
    grc_part_begin(call, &part);
    enum gr_err err = grc_store_run(call->runtime->store, call->session, sql, params, count, each,
                                    arg, ret_changed);
    if (call->trace)
        end_statement(call, &part, sql, err);
    if (!call->session && grc_sql_kind_of(sql) != GRC_SQL_READ)
        note_change(call, err);
    return err;
}

int64_t grc_host_store_now_ms(struct gr_call *pub)
{
    const struct grc_call *call = grc_call_of(pub);
    struct grc_store *store = call->runtime->store;

    return store ? grc_store_now_ms(store, call->session) : grc_now_ms();
}

struct body {
    struct grc_call *call;
    gr_tx_fn *fn;
    void *arg;
};

static enum gr_err run_body(struct grc_store_session *session, void *arg)
{
    const struct body *body = arg;

    /* A body that runs again starts without the errors and problems of its first run. */
    body->call->error = (struct gr_error){.err = GR_OK};
    body->call->problems.count = 0;
    body->call->session = session;
    enum gr_err err = body->fn(&body->call->pub, body->arg);
    body->call->session = NULL;
    return err;
}

enum gr_err grc_host_store_tx(struct gr_call *pub, gr_tx_fn *fn, void *arg)
{
    struct grc_call *call = grc_call_of(pub);
    struct body body = {call, fn, arg};

    if (!call->runtime->store)
        return GR_ERR_STORE_DOWN;
    if (call->session)
        return fn(pub, arg); /* part of the transaction that has begun */
    struct grc_part part;
    grc_part_begin(call, &part);
    /* What the body does is a part of the transaction. */
    char outer[GRC_CONTEXT_BYTES];
    memcpy(outer, call->traceparent, sizeof(outer));
    if (call->trace)
        memcpy(call->traceparent, part.context, sizeof(outer));
    enum gr_err err = grc_store_tx(call->runtime->store, run_body, &body);
    memcpy(call->traceparent, outer, sizeof(outer));
    grc_part_end(call, &part, GRC_SPAN_INTERNAL, "transaction", err,
                 GRC_LOG_FIELDS(GRC_LT("error.type", err != GR_OK ? grc_err_slug(err) : "")));
    note_change(call, err);
    return err;
}
