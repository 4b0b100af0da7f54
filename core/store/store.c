/* Chooses the engine, enforces the rules that hold for both engines, and repeats what was busy. */
#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "base/secure.h"
#include "base/utf8.h"
#include "store/engine.h"
#include "store/sql.h"

#include <time.h>
#include <unistd.h>

/* Limits of the attempts after conflicts: their number, and the time until the last one begins. */
#define ATTEMPTS_MAX 16u
#define BUDGET_MS 10000
#define BACKOFF_FIRST_MS 2u
#define BACKOFF_MAX_MS 250u

static const struct grc_engine *const engines[] = {&grc_engine_sqlite, &grc_engine_postgres};

static struct grc_store *open_url(const char *url, bool read_only, char **ret_reason)
{
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
        if (strncmp(url, engines[i]->scheme, strlen(engines[i]->scheme)) == 0)
            return engines[i]->open(url, read_only, ret_reason);
    }
    /* libpq accepts this spelling too. */
    if (strncmp(url, "postgresql://", 13) == 0)
        return grc_engine_postgres.open(url, read_only, ret_reason);
    *ret_reason = grc_format("unknown kind of store; expected sqlite:PATH or postgres://…");
    return NULL;
}

struct grc_store *grc_store_open(const char *url, char **ret_reason)
{
    return open_url(url, false, ret_reason);
}

struct grc_store *grc_store_open_read_only(const char *url, char **ret_reason)
{
    return open_url(url, true, ret_reason);
}

bool grc_store_is_file(const char *url)
{
    const char *scheme = grc_engine_sqlite.scheme;
    size_t len = strlen(scheme);

    return strncmp(url, scheme, len) == 0 && access(url + len, F_OK) == 0;
}

void grc_store_close(struct grc_store *store)
{
    if (store)
        store->engine->close(store);
}

const char *grc_store_kind(const struct grc_store *store)
{
    return store->engine->kind;
}

static bool text_ok(gr_str text)
{
    return (text.len == 0 || !memchr(text.ptr, '\0', text.len)) && grc_utf8_valid(text);
}

/* Refuses text that PostgreSQL would refuse and SQLite would accept, so that both behave alike. */
static enum gr_err check_params(const struct grc_engine *engine, const struct grc_statement *st)
{
    for (size_t i = 0; i < st->count; i++) {
        const struct gr_value *value = &st->params[i];
        if (value->kind != GR_VALUE_TEXT && value->kind != GR_VALUE_BLOB)
            continue;
        if (value->s.len > GRC_STORE_VALUE_MAX_BYTES)
            return grc_store_complain(engine, GR_ERR_STORE_CHECK, "size", "parameter too large",
                                      st->sql);
        if (value->kind == GR_VALUE_TEXT && !text_ok(value->s))
            return grc_store_complain(engine, GR_ERR_STORE_CHECK, "text",
                                      "text with NUL or broken UTF-8", st->sql);
    }
    return GR_OK;
}

enum gr_err grc_store_run_in(struct grc_store_session *session, struct grc_statement *st)
{
    const struct grc_engine *engine = session->store->engine;

    if (session->in_tx && session->doomed != GR_OK)
        return session->doomed;
    enum gr_err err = check_params(engine, st);
    if (err == GR_OK)
        err = engine->run(session, st);
    /* Any other error comes from the caller's `each`, and is no failure of the statement. */
    bool ours = err <= GR_ERR_STORE_UNIQUE && err >= GR_ERR_STORE;
    if (session->in_tx && ours)
        session->doomed = err;
    return err;
}

enum gr_err grc_store_commit_in(struct grc_store_session *session)
{
    if (session->doomed != GR_OK) {
        enum gr_err err = session->doomed;
        grc_store_rollback_in(session);
        return err;
    }
    enum gr_err err = session->store->engine->commit(session);
    session->in_tx = false;
    return err;
}

void grc_store_rollback_in(struct grc_store_session *session)
{
    session->store->engine->rollback(session);
    session->in_tx = false;
    session->doomed = GR_OK;
}

/* Sleeps before the next attempt. Returns false when there should be none. */
static bool back_off(unsigned attempt, int64_t started_ms)
{
    unsigned span_ms = BACKOFF_FIRST_MS << (attempt < 7 ? attempt : 7);

    if (attempt + 1 >= ATTEMPTS_MAX || grc_mono_ms() - started_ms >= BUDGET_MS)
        return false;
    span_ms = span_ms < BACKOFF_MAX_MS ? span_ms : BACKOFF_MAX_MS;
    /* The time is random, so that calls which failed together do not return together. */
    uint64_t wait_us = grc_random_fast() % (span_ms * 1000u) + 200u;
    struct timespec wait = {.tv_nsec = (long)wait_us * 1000L};
    (void)nanosleep(&wait, NULL);
    return true;
}

/* True when a failed attempt should be repeated: it has left nothing behind, and may succeed. */
static bool try_again(enum gr_err err, bool repeatable, unsigned attempt, int64_t started_ms)
{
    if (!repeatable)
        return false;
    /* An idle connection that has died fails only when it is used. */
    if (err == GR_ERR_STORE_DOWN)
        return attempt == 0;
    return err == GR_ERR_STORE_BUSY && back_off(attempt, started_ms);
}

static enum gr_err run_alone(struct grc_store *store, struct grc_statement *st, bool reads)
{
    struct grc_store_session *session;

    enum gr_err err = store->engine->checkout(store, !reads, &session);
    if (err != GR_OK)
        return err;
    err = grc_store_run_in(session, st);
    store->engine->checkin(session);
    return err;
}

enum gr_err grc_store_run(struct grc_store *store, struct grc_store_session *session,
                          const char *sql, const struct gr_value *params, size_t count,
                          gr_row_fn *each, void *arg, int64_t *ret_changed)
{
    struct grc_statement st = {.sql = sql,
                               .params = params,
                               .count = count,
                               .each = each,
                               .arg = arg,
                               .ret_changed = ret_changed};
    if (session)
        return grc_store_run_in(session, &st);

    bool reads = grc_sql_kind_of(sql) == GRC_SQL_READ;
    int64_t started_ms = grc_mono_ms();
    for (unsigned attempt = 0;; attempt++) {
        enum gr_err err = run_alone(store, &st, reads);
        /* A write may have been done when its connection broke, but not when it was busy. */
        bool repeatable = st.rows == 0 && (reads || err == GR_ERR_STORE_BUSY);
        if (err == GR_OK || !try_again(err, repeatable, attempt, started_ms))
            return err;
    }
}

/* Runs a transaction once. *ret_begun tells whether body was called. */
static enum gr_err tx_once(struct grc_store *store, grc_store_body_fn *body, void *arg,
                           bool *ret_begun)
{
    struct grc_store_session *session;

    *ret_begun = false;
    enum gr_err err = store->engine->checkout(store, true, &session);
    if (err != GR_OK)
        return err;
    err = store->engine->begin(session, GRC_BEGIN_WRITE);
    if (err == GR_OK) {
        *ret_begun = true;
        session->in_tx = true;
        session->doomed = GR_OK;
        err = body(session, arg);
        if (err == GR_OK)
            err = grc_store_commit_in(session);
        else
            grc_store_rollback_in(session);
    }
    store->engine->checkin(session);
    return err;
}

enum gr_err grc_store_tx(struct grc_store *store, grc_store_body_fn *body, void *arg)
{
    int64_t started_ms = grc_mono_ms();

    for (unsigned attempt = 0;; attempt++) {
        bool begun;
        enum gr_err err = tx_once(store, body, arg, &begun);
        bool repeatable = !begun || err == GR_ERR_STORE_BUSY;
        if (err == GR_OK || !try_again(err, repeatable, attempt, started_ms))
            return err;
    }
}

enum gr_err grc_store_ping(struct grc_store *store)
{
    return grc_store_run(store, NULL, "SELECT 1", NULL, 0, NULL, NULL, NULL);
}

enum gr_err grc_store_take_number(void *arg, const struct gr_value *columns, size_t count)
{
    int64_t *number = arg;

    (void)count;
    *number = columns[0].i;
    return GR_OK;
}
