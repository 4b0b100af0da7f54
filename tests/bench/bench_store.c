/*
 * Measures how long rig's look-ups take in a store of some size. Usage: bench_store URL ACCOUNTS.
 * It fills an empty store with accounts, each with a stream and three destinations, and then reads
 * what an edge host asks for by stream key. It prints "accounts N median_us N p99_us N".
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/secure.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOKUPS 20000u
#define BATCH 2000
#define DESTINATIONS 3

extern const struct gr_migration rig_migrations[];

struct fill {
    struct grc_store *store;
    int64_t from;
    int64_t to;
};

static enum gr_err run(struct grc_store *store, struct grc_store_session *session, const char *sql,
                       const struct gr_value *params, size_t count)
{
    return grc_store_run(store, session, sql, params, count, NULL, NULL, NULL);
}

static enum gr_err add_account(struct grc_store *store, struct grc_store_session *session,
                               int64_t i)
{
    char id[32];
    char key[32];
    enum gr_err err;

    (void)snprintf(id, sizeof(id), "id-%lld", (long long)i);
    (void)snprintf(key, sizeof(key), "key-%lld", (long long)i);
    const struct gr_value account[] = {gr_v_text(id), gr_v_text(key), gr_v_int(i)};
    err = run(store, session,
              "INSERT INTO rig_users (id, username, email, email_key, created_at_ms)"
              " VALUES (?1, ?2, ?2, ?2, ?3)",
              account, 3);
    if (err == GR_OK)
        err = run(store, session,
                  "INSERT INTO rig_streams (id, stream_key, user_id, created_at_ms)"
                  " VALUES (?1, ?2, ?1, ?3)",
                  account, 3);
    for (int64_t j = 0; j < DESTINATIONS && err == GR_OK; j++) {
        const struct gr_value destination[] = {gr_v_int(i * DESTINATIONS + j), gr_v_text(id)};
        err = run(store, session,
                  "INSERT INTO rig_destinations (id, stream_id, service, stream_key)"
                  " VALUES (?1, ?2, 'Twitch', 'live_31_kexample')",
                  destination, 2);
    }
    return err;
}

static enum gr_err add_batch(struct grc_store_session *session, void *arg)
{
    const struct fill *fill = arg;
    enum gr_err err = GR_OK;

    for (int64_t i = fill->from; i < fill->to && err == GR_OK; i++)
        err = add_account(fill->store, session, i);
    return err;
}

struct found {
    char id[64];
    size_t rows;
};

static enum gr_err take_stream(void *arg, const struct gr_value *columns, size_t count)
{
    struct found *found = arg;

    (void)count;
    (void)snprintf(found->id, sizeof(found->id), "%.*s", (int)columns[0].s.len, columns[0].s.ptr);
    return GR_OK;
}

static enum gr_err count_row(void *arg, const struct gr_value *columns, size_t count)
{
    (void)columns;
    (void)count;
    ((struct found *)arg)->rows++;
    return GR_OK;
}

/* Runs the two statements that GET /agents/config/{streamKey} runs. */
static bool look_up(struct grc_store *store, int64_t i)
{
    struct found found = {.rows = 0};
    char key[32];

    (void)snprintf(key, sizeof(key), "key-%lld", (long long)i);
    const struct gr_value by_key[] = {gr_v_text(key)};
    enum gr_err err =
        grc_store_run(store, NULL,
                      "SELECT s.id, s.live_until_ms, s.live_agent"
                      " FROM rig_streams s JOIN rig_users u ON u.id = s.user_id"
                      " WHERE s.stream_key = ?1 AND s.is_active = 1 AND u.is_active = 1",
                      by_key, 1, take_stream, &found, NULL);
    const struct gr_value by_id[] = {gr_v_text(found.id)};
    if (err == GR_OK)
        err = grc_store_run(store, NULL,
                            "SELECT id, service, stream_key, is_active FROM rig_destinations"
                            " WHERE stream_id = ?1 ORDER BY id",
                            by_id, 1, count_row, &found, NULL);
    return err == GR_OK && found.rows == DESTINATIONS;
}

static int by_value(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static bool fill_store(struct grc_store *store, int64_t accounts)
{
    char *reason = NULL;

    if (grc_store_migrate(store, "rig", rig_migrations, sizeof(rig_migrations[0]), &reason) !=
        GR_OK) {
        (void)fprintf(stderr, "%s\n", reason ? reason : "no memory");
        free(reason);
        return false;
    }
    for (int64_t at = 0; at < accounts; at += BATCH) {
        struct fill fill = {store, at, at + BATCH < accounts ? at + BATCH : accounts};
        if (grc_store_tx(store, add_batch, &fill) != GR_OK)
            return false;
    }
    return true;
}

static bool measure(struct grc_store *store, int64_t accounts)
{
    static int64_t took_us[LOOKUPS];

    for (size_t i = 0; i < LOOKUPS; i++) {
        int64_t which = (int64_t)(grc_random_fast() % (uint64_t)accounts);
        int64_t started_us = grc_mono_us();
        if (!look_up(store, which))
            return false;
        took_us[i] = grc_mono_us() - started_us;
    }
    qsort(took_us, LOOKUPS, sizeof(took_us[0]), by_value);
    (void)printf("accounts %lld median_us %lld p99_us %lld\n", (long long)accounts,
                 (long long)took_us[LOOKUPS / 2], (long long)took_us[LOOKUPS * 99 / 100]);
    return true;
}

int main(int argc, char **argv)
{
    char *reason = NULL;
    int64_t accounts = argc == 3 ? strtoll(argv[2], NULL, 10) : 0;

    grc_log_level_set(GR_LOG_ERROR);
    if (accounts <= 0) {
        (void)fprintf(stderr, "usage: bench_store URL ACCOUNTS\n");
        return 2;
    }
    struct grc_store *store = grc_store_open(argv[1], &reason);
    if (!store) {
        (void)fprintf(stderr, "%s\n", reason ? reason : "no memory");
        free(reason);
        return 1;
    }
    bool ok = fill_store(store, accounts) && measure(store, accounts);
    grc_store_close(store);
    return ok ? 0 : 1;
}
