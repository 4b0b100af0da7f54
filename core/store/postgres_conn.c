/*
 * Connections of the PostgreSQL engine: a bounded pool, whose connections are checked when they are
 * taken out. Everything that waits for the server has a deadline.
 */
#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "base/secure.h"
#include "store/postgres.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define POOL_DEFAULT 16u
#define POOL_MAX 1000u
#define CONNECT_TIMEOUT_S "3"
/* For this time after a failed connect, every call fails at once with GR_ERR_STORE_DOWN. */
#define RETRY_MS 250
/* The gateway gives up on a statement after this time, a little later than the server does (see
 * setup_sql). */
#define STATEMENT_MS 12000u
#define PROBE_MS 5000u

static const char setup_sql[] =
    "SET standard_conforming_strings = on; SET bytea_output = 'hex'; SET timezone = 'UTC';"
    " SET statement_timeout = '10s'; SET lock_timeout = '5s';"
    " SET idle_in_transaction_session_timeout = '60s';"
    " SET default_transaction_isolation = 'read committed'";
static const char read_only_sql[] = "SET default_transaction_read_only = on";

/* ------------------------------------------------------------------------------------------ */
/* The URL                                                                                    */

/* Takes pool_max=N, which is the gateway's own and unknown to libpq, out of the query of a copied
 * URL. Returns false when it is malformed. */
static bool take_pool_max(char *url, size_t *ret_max)
{
    static const char word[] = "pool_max=";
    char *query = strchr(url, '?');

    for (char *at = query; at; at = strchr(at + 1, '&')) {
        if (strncmp(at + 1, word, sizeof(word) - 1) != 0)
            continue;
        char *end = NULL;
        errno = 0;
        unsigned long max = strtoul(at + sizeof(word), &end, 10);
        if (errno || end == at + sizeof(word) || max < 1 || max > POOL_MAX || (*end && *end != '&'))
            return false;
        *ret_max = max;
        /* When something follows, the separator before pool_max stays. */
        if (*end == '&')
            memmove(at + 1, end + 1, strlen(end + 1) + 1);
        else
            *at = '\0';
        return true;
    }
    return true;
}

/*
 * Reads the password out of the URL, to keep it out of messages. Returns false for a URL that libpq
 * splits in another way than its author meant: its parts must not be shown then, since pieces of a
 * password with '@', ':' or '/' in it are taken for the host.
 */
static bool read_url(const char *url, char **ret_password)
{
    char *message = NULL;
    PQconninfoOption *options = grc_pq()->PQconninfoParse(url, &message);
    bool ok = options != NULL;

    grc_pq()->PQfreemem(message);
    for (PQconninfoOption *at = options; at && at->keyword; at++) {
        if (!at->val)
            continue;
        if (strcmp(at->keyword, "host") == 0 && strchr(at->val, '@'))
            ok = false;
        if (strcmp(at->keyword, "port") == 0 && at->val[strspn(at->val, "0123456789,")])
            ok = false;
        if (strcmp(at->keyword, "password") == 0 && *at->val) {
            *ret_password = strdup(at->val);
            ok = ok && *ret_password;
        }
    }
    grc_pq()->PQconninfoFree(options);
    return ok;
}

/* Returns a malloc'ed message of libpq on one line, without the password. */
static char *clean_message(const struct grc_pg_store *store, const char *message)
{
    char *text = strdup(message && *message ? message : "no reason given");
    size_t len;

    if (!text)
        return NULL;
    for (char *at = text; *at; at++) {
        if (*at == '\n' || *at == '\t')
            *at = ' ';
    }
    len = strlen(text);
    while (len && text[len - 1] == ' ')
        text[--len] = '\0';
    if (!store->password)
        return text;
    for (char *at = strstr(text, store->password); at; at = strstr(at, store->password))
        memset(at, '*', strlen(store->password));
    return text;
}

/* ------------------------------------------------------------------------------------------ */
/* Connections                                                                                */

static void conn_free(struct grc_pg_conn *conn)
{
    if (!conn)
        return;
    /* The server forgets its statements with the connection. */
    conn->lost = true;
    grc_cache_clear(&conn->cache);
    grc_pq()->PQfinish(conn->pg);
    free(conn);
}

/*
 * Most messages ("relation exists, skipping") are for people at a terminal. One is not: when the
 * wait for a synchronous standby is cancelled, as by pg_cancel_backend(), PostgreSQL says that the
 * COMMIT was a success and warns that the standby may not have it, so that a failover could lose
 * what was acknowledged. The text of the warning depends on the server's language, the function
 * does not.
 */
static void see_notice(void *arg, const PGresult *result)
{
    struct grc_pg_conn *conn = arg;
    const char *function = grc_pq()->PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    if (function && strcmp(function, "SyncRepWaitForLSN") == 0)
        conn->alone = true;
}

static PGconn *dial(const char *url)
{
    static const char *const names[] = {"connect_timeout",     "application_name",
                                        "gssencmode",          "keepalives_idle",
                                        "keepalives_interval", "keepalives_count",
                                        "tcp_user_timeout",    "dbname",
                                        "client_encoding",     NULL};
    /* Values before the URL (dbname) are defaults; values behind it override the URL. */
    const char *values[] = {CONNECT_TIMEOUT_S, "greenroom", "disable", "30", "10", "3",
                            "15000",           url,         "UTF8",    NULL};

    return grc_pq()->PQconnectdbParams(names, values, 1);
}

/* Returns NULL on failure, with a malloc'ed reason unless ret_reason is NULL. */
static struct grc_pg_conn *conn_new(struct grc_pg_store *store, char **ret_reason)
{
    struct grc_pg_conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        return NULL;
    conn->base.store = &store->base;
    conn->timeout_ms = PROBE_MS;
    conn->cache.drop = grc_pg_drop_stmt;
    conn->cache.owner = conn;
    conn->pg = dial(store->url);
    bool ok = conn->pg && grc_pq()->PQstatus(conn->pg) == CONNECTION_OK;
    if (ok) {
        (void)grc_pq()->PQsetNoticeReceiver(conn->pg, see_notice, conn);
        ok = grc_pq()->PQsetnonblocking(conn->pg, 1) == 0 &&
             grc_pg_exec(conn, setup_sql) == GR_OK &&
             (!store->base.read_only || grc_pg_exec(conn, read_only_sql) == GR_OK);
    }
    if (ok) {
        conn->timeout_ms = STATEMENT_MS;
        return conn;
    }
    char *reason =
        clean_message(store, conn->pg ? grc_pq()->PQerrorMessage(conn->pg) : "no memory");
    grc_log_fields(GR_LOG_WARN, "store connection failed",
                   GRC_LOG_FIELDS(GRC_LT("store", "postgres"),
                                  GRC_LT("reason", reason ? reason : "no memory")));
    if (ret_reason)
        *ret_reason = reason;
    else
        free(reason);
    conn_free(conn);
    return NULL;
}

/* Makes a connection, unless another thread failed to do so a moment ago. */
static struct grc_pg_conn *conn_make(struct grc_pg_store *store)
{
    pthread_mutex_lock(&store->lock);
    bool wait = grc_mono_ms() < store->retry_at_ms;
    pthread_mutex_unlock(&store->lock);
    if (wait)
        return NULL;
    struct grc_pg_conn *conn = conn_new(store, NULL);
    pthread_mutex_lock(&store->lock);
    store->retry_at_ms = conn ? 0 : grc_mono_ms() + RETRY_MS;
    pthread_mutex_unlock(&store->lock);
    return conn;
}

/* A server sends nothing on an idle connection, so when there is something to read, it has ended.
 */
static bool still_good(struct grc_pg_conn *conn)
{
    struct pollfd fd = {.fd = grc_pq()->PQsocket(conn->pg), .events = POLLIN};

    return grc_pq()->PQstatus(conn->pg) == CONNECTION_OK && poll(&fd, 1, 0) == 0;
}

enum gr_err grc_pg_checkout(struct grc_store *base, bool write,
                            struct grc_store_session **ret_session)
{
    struct grc_pg_store *store = (struct grc_pg_store *)(void *)base;
    void *item = NULL;

    (void)write;
    enum gr_err err = grc_pool_take(&store->pool, GRC_STORE_WAIT_MS, &item);
    if (err != GR_OK)
        return err;
    if (item && !still_good(item)) {
        conn_free(item);
        item = NULL;
    }
    if (!item)
        item = conn_make(store);
    if (!item) {
        grc_pool_put(&store->pool, NULL);
        return GR_ERR_STORE_DOWN;
    }
    struct grc_pg_conn *conn = item;
    *ret_session = &conn->base;
    return GR_OK;
}

void grc_pg_checkin(struct grc_store_session *session)
{
    struct grc_pg_conn *conn = (struct grc_pg_conn *)(void *)session;
    struct grc_pg_store *store = (struct grc_pg_store *)(void *)session->store;

    if (conn->lost || grc_pq()->PQstatus(conn->pg) != CONNECTION_OK ||
        grc_pq()->PQtransactionStatus(conn->pg) != PQTRANS_IDLE) {
        conn_free(conn);
        conn = NULL;
    } else {
        conn->timeout_ms = STATEMENT_MS;
    }
    grc_pool_put(&store->pool, conn);
}

/* ------------------------------------------------------------------------------------------ */
/* The store                                                                                  */

void grc_pg_close(struct grc_store *base)
{
    struct grc_pg_store *store = (struct grc_pg_store *)(void *)base;
    void *conn;

    if (store->pool.idle) {
        while ((conn = grc_pool_drain(&store->pool)) != NULL)
            conn_free(conn);
        grc_pool_done(&store->pool);
        pthread_mutex_destroy(&store->lock);
    }
    grc_wipe_free(store->url);
    grc_wipe_free(store->password);
    free(store);
}

static struct grc_pg_store *store_new(const struct grc_engine *engine, const char *url,
                                      char **ret_reason)
{
    struct grc_pg_store *store = calloc(1, sizeof(*store));
    size_t max = POOL_DEFAULT;

    if (!store)
        return NULL;
    store->base.engine = engine;
    store->url = strdup(url);
    if (!store->url)
        goto fail;
    if (!take_pool_max(store->url, &max)) {
        *ret_reason = grc_format("pool_max: expected a number from 1 to %u", POOL_MAX);
        goto fail;
    }
    if (!read_url(store->url, &store->password)) {
        *ret_reason = grc_format("the postgres:// URL cannot be understood; special "
                                 "characters in user and password are written as %%XX");
        goto fail;
    }
    if (pthread_mutex_init(&store->lock, NULL) != 0)
        goto fail;
    if (grc_pool_init(&store->pool, max))
        return store;
    pthread_mutex_destroy(&store->lock);
fail:
    grc_pg_close(&store->base);
    return NULL;
}

struct grc_store *grc_pg_open(const struct grc_engine *engine, const char *url, bool read_only,
                              char **ret_reason)
{
    char reason[GRC_LIBRARY_REASON];
    void *conn = NULL;

    if (!grc_pq_load(reason)) {
        *ret_reason = grc_format("%s", reason);
        return NULL;
    }
    struct grc_pg_store *store = store_new(engine, url, ret_reason);
    if (!store)
        return NULL;
    store->base.read_only = read_only;
    if (grc_pool_take(&store->pool, 0, &conn) == GR_OK)
        conn = conn_new(store, ret_reason);
    grc_pool_put(&store->pool, conn);
    if (!conn) {
        grc_pg_close(&store->base);
        return NULL;
    }
    return &store->base;
}
