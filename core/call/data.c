/* The services of the store. A transaction belongs to its call. */
#include "call/host.h"
#include "store/sql.h"

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
    enum gr_err err = grc_store_run(call->runtime->store, call->session, sql, params, count, each,
                                    arg, ret_changed);
    if (!call->session && grc_sql_kind_of(sql) != GRC_SQL_READ)
        note_change(call, err);
    return err;
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
    enum gr_err err = grc_store_tx(call->runtime->store, run_body, &body);
    note_change(call, err);
    return err;
}
