/*
 * The store: one table of tests, run against each engine. "test_store sqlite" needs nothing;
 * "test_store postgres" needs GR_TEST_POSTGRES, see support/postgres.sh.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define RUN(store, sql) grc_store_run(store, NULL, sql, NULL, 0, NULL, NULL, NULL)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct {
    const char *engine;
    const char *url;
    char dir[64];
    char path_url[128];
} setting;

static const struct gr_migration schema[] = {
    {.version = 1,
     .name = "things",
     .sql = "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
            " amount BIGINT NOT NULL DEFAULT 0 CHECK (amount >= 0));"
            " CREATE TABLE parts (id INTEGER PRIMARY KEY, thing BIGINT NOT NULL"
            " REFERENCES things (id));",
     .postgres = "CREATE TABLE things (id BIGSERIAL PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
                 " amount BIGINT NOT NULL DEFAULT 0 CHECK (amount >= 0));"
                 " CREATE TABLE parts (id BIGSERIAL PRIMARY KEY, thing BIGINT NOT NULL"
                 " REFERENCES things (id));"},
    {.version = 2,
     .name = "values",
     .sql = "CREATE TABLE vals (k TEXT PRIMARY KEY, i BIGINT, r DOUBLE PRECISION, t TEXT, b BLOB)",
     .postgres =
         "CREATE TABLE vals (k TEXT PRIMARY KEY, i BIGINT, r DOUBLE PRECISION, t TEXT, b BYTEA)"},
    GR_END,
};

/* ------------------------------------------------------------------------------------------ */
/* Support                                                                                    */

static struct grc_store *open_store(void)
{
    char *reason = NULL;
    struct grc_store *store = grc_store_open(setting.url, &reason);

    if (!store)
        fail_msg("open: %s", reason ? reason : "no reason");
    return store;
}

static struct grc_store *migrated(void)
{
    char *reason = NULL;
    struct grc_store *store = open_store();

    if (grc_store_migrate(store, "test", schema, sizeof(schema[0]), &reason) != GR_OK)
        fail_msg("migrate: %s", reason);
    return store;
}

static bool is_postgres(void)
{
    return strcmp(setting.engine, "postgres") == 0;
}

static void wipe_files(void)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf '%s'", setting.dir);
    assert_int_equal(system(command), 0);
}

/* Every test starts with an empty store. */
static int setup(void **state)
{
    if (is_postgres()) {
        struct grc_store *store = open_store();
        assert_int_equal(RUN(store, "DROP SCHEMA public CASCADE"), GR_OK);
        assert_int_equal(RUN(store, "CREATE SCHEMA public"), GR_OK);
        grc_store_close(store);
    } else {
        (void)snprintf(setting.dir, sizeof(setting.dir), "/tmp/greenroom-store.XXXXXX");
        assert_non_null(mkdtemp(setting.dir));
        (void)snprintf(setting.path_url, sizeof(setting.path_url), "sqlite:%s/test.db",
                       setting.dir);
        setting.url = setting.path_url;
    }
    *state = migrated();
    return 0;
}

static int teardown(void **state)
{
    grc_store_close(*state);
    if (!is_postgres())
        wipe_files();
    return 0;
}

static enum gr_err take_int(void *arg, const struct gr_value *columns, size_t count)
{
    assert_int_equal(count, 1);
    assert_int_equal(columns[0].kind, GR_VALUE_INT);
    *(int64_t *)arg = columns[0].i;
    return GR_OK;
}

static int64_t query_int(struct grc_store *store, const char *sql)
{
    int64_t value = -1;

    assert_int_equal(grc_store_run(store, NULL, sql, NULL, 0, take_int, &value, NULL), GR_OK);
    return value;
}

static enum gr_err insert(struct grc_store *store, struct grc_store_session *session,
                          const char *name, int64_t *ret_changed)
{
    struct gr_value params[] = {gr_v_text(name)};

    return grc_store_run(store, session, "INSERT INTO things (name) VALUES (?1)", params, 1, NULL,
                         NULL, ret_changed);
}

/* ------------------------------------------------------------------------------------------ */
/* Values                                                                                     */

struct kept {
    struct gr_value columns[4];
    char text[64];
    char *blob;
    size_t blob_len;
    size_t rows;
};

static enum gr_err keep(void *arg, const struct gr_value *columns, size_t count)
{
    struct kept *kept = arg;

    assert_int_equal(count, 4);
    memcpy(kept->columns, columns, sizeof(kept->columns));
    kept->rows++;
    if (columns[2].kind == GR_VALUE_TEXT) {
        assert_true(columns[2].s.len < sizeof(kept->text));
        memcpy(kept->text, columns[2].s.ptr, columns[2].s.len);
        kept->text[columns[2].s.len] = '\0';
    }
    if (columns[3].kind == GR_VALUE_BLOB) {
        kept->blob_len = columns[3].s.len;
        kept->blob = malloc(kept->blob_len + 1);
        assert_non_null(kept->blob);
        memcpy(kept->blob, columns[3].s.ptr, kept->blob_len);
    }
    return GR_OK;
}

static enum gr_err put(struct grc_store *store, const char *key, const struct gr_value values[4])
{
    struct gr_value params[] = {gr_v_text(key), values[0], values[1], values[2], values[3]};

    return grc_store_run(store, NULL,
                         "INSERT INTO vals (k, i, r, t, b) VALUES (?1, ?2, ?3, ?4, ?5)", params, 5,
                         NULL, NULL, NULL);
}

static struct kept get(struct grc_store *store, const char *key)
{
    struct gr_value params[] = {gr_v_text(key)};
    struct kept kept = {.rows = 0};

    assert_int_equal(grc_store_run(store, NULL, "SELECT i, r, t, b FROM vals WHERE k = ?1", params,
                                   1, keep, &kept, NULL),
                     GR_OK);
    assert_int_equal(kept.rows, 1);
    return kept;
}

static struct gr_value real(double d)
{
    return (struct gr_value){.kind = GR_VALUE_REAL, .d = d};
}

static struct gr_value blob(const char *ptr, size_t len)
{
    return (struct gr_value){.kind = GR_VALUE_BLOB, .s = {ptr, len}};
}

static void test_values_come_back_as_they_went(void **state)
{
    const char bytes[] = "\x00\xff'\\x;\x80";
    const struct gr_value full[] = {gr_v_int(INT64_MIN), real(0.1), gr_v_text("héllo '\"$1 ?1"),
                                    blob(bytes, sizeof(bytes))};
    const struct gr_value empty[] = {gr_v_int(INT64_MAX), real(-1e300), gr_v_text(""), blob("", 0)};
    const struct gr_value nulls[] = {gr_v_null(), gr_v_null(), gr_v_null(), gr_v_null()};

    assert_int_equal(put(*state, "full", full), GR_OK);
    assert_int_equal(put(*state, "empty", empty), GR_OK);
    assert_int_equal(put(*state, "nulls", nulls), GR_OK);
    struct kept kept = get(*state, "full");
    assert_true(kept.columns[0].kind == GR_VALUE_INT && kept.columns[0].i == INT64_MIN);
    assert_true(kept.columns[1].kind == GR_VALUE_REAL && kept.columns[1].d == 0.1);
    assert_string_equal(kept.text, "héllo '\"$1 ?1");
    assert_int_equal(kept.blob_len, sizeof(bytes));
    assert_memory_equal(kept.blob, bytes, sizeof(bytes));
    free(kept.blob);
    kept = get(*state, "empty");
    assert_true(kept.columns[0].i == INT64_MAX && kept.columns[1].d == -1e300);
    assert_true(kept.columns[2].kind == GR_VALUE_TEXT && kept.columns[2].s.len == 0);
    assert_true(kept.columns[3].kind == GR_VALUE_BLOB && kept.blob_len == 0);
    free(kept.blob);
    kept = get(*state, "nulls");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(kept.columns[i].kind, GR_VALUE_NULL);
}

static void test_a_huge_blob_fits(void **state)
{
    const size_t len = 8u << 20;
    char *bytes = malloc(len);

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 31 + (i >> 9));
    const struct gr_value values[] = {gr_v_null(), gr_v_null(), gr_v_null(), blob(bytes, len)};
    assert_int_equal(put(*state, "huge", values), GR_OK);
    struct kept kept = get(*state, "huge");
    assert_int_equal(kept.blob_len, len);
    assert_memory_equal(kept.blob, bytes, len);
    free(kept.blob);
    free(bytes);
}

static void test_text_with_nul_or_broken_utf8_is_refused(void **state)
{
    const gr_str bad[] = {
        {"a\0b", 3}, {"\xff", 1}, {"\xc0\x80", 2}, {"\xed\xa0\x80", 3}, {"\xe2\x82", 2}};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const struct gr_value values[] = {gr_v_null(), gr_v_null(), gr_v_str(bad[i]), gr_v_null()};
        assert_int_equal(put(*state, "bad", values), GR_ERR_STORE_CHECK);
    }
    assert_int_equal(query_int(*state, "SELECT count(*) FROM vals"), 0);
}

static void test_sums_and_comparisons_are_integers(void **state)
{
    assert_int_equal(RUN(*state, "INSERT INTO things (name, amount) VALUES ('a', 7), ('b', 8)"),
                     GR_OK);
    assert_int_equal(query_int(*state, "SELECT sum(amount) FROM things"), 15);
    assert_int_equal(query_int(*state, "SELECT count(*) FROM things"), 2);
    assert_int_equal(query_int(*state, "SELECT max(amount) = 8 FROM things"), 1);
}

static void test_marks_inside_of_text_are_no_parameters(void **state)
{
    struct gr_value params[] = {gr_v_text("x")};
    int64_t value = -1;

    assert_int_equal(grc_store_run(*state, NULL,
                                   "SELECT count(*) /* ?2 */ AS \"?3\" FROM things -- ?4\n"
                                   " WHERE name = ?1 OR name = 'it''s ?5'",
                                   params, 1, take_int, &value, NULL),
                     GR_OK);
    assert_int_equal(value, 0);
    assert_int_equal(grc_store_run(*state, NULL, "SELECT count(*) FROM things WHERE name = ?1",
                                   NULL, 0, take_int, &value, NULL),
                     GR_ERR_STORE);
}

/* ------------------------------------------------------------------------------------------ */
/* Errors and results                                                                         */

static void test_errors_are_typed(void **state)
{
    assert_int_equal(insert(*state, NULL, "one", NULL), GR_OK);
    assert_int_equal(insert(*state, NULL, "one", NULL), GR_ERR_STORE_UNIQUE);
    assert_int_equal(RUN(*state, "INSERT INTO things (id, name) SELECT id, 'two' FROM things"),
                     GR_ERR_STORE_UNIQUE);
    assert_int_equal(RUN(*state, "INSERT INTO parts (thing) VALUES (99)"), GR_ERR_STORE_FOREIGN);
    assert_int_equal(RUN(*state, "INSERT INTO parts (thing) SELECT id FROM things"), GR_OK);
    assert_int_equal(RUN(*state, "DELETE FROM things"), GR_ERR_STORE_FOREIGN);
    assert_int_equal(RUN(*state, "UPDATE things SET amount = -1"), GR_ERR_STORE_CHECK);
    assert_int_equal(RUN(*state, "UPDATE things SET name = NULL"), GR_ERR_STORE_CHECK);
    assert_int_equal(RUN(*state, "SELECT nothing FROM nowhere"), GR_ERR_STORE);
    assert_int_equal(RUN(*state, "SELEC"), GR_ERR_STORE);
    assert_int_equal(RUN(*state, "SELECT 1; SELECT 2"), GR_ERR_STORE);
}

static void test_the_number_of_changed_rows(void **state)
{
    int64_t changed = -1;

    assert_int_equal(insert(*state, NULL, "one", &changed), GR_OK);
    assert_int_equal(changed, 1);
    assert_int_equal(insert(*state, NULL, "two", NULL), GR_OK);
    assert_int_equal(grc_store_run(*state, NULL, "UPDATE things SET amount = amount + 1", NULL, 0,
                                   NULL, NULL, &changed),
                     GR_OK);
    assert_int_equal(changed, 2);
    assert_int_equal(grc_store_run(*state, NULL, "UPDATE things SET amount = 5 WHERE name = 'zero'",
                                   NULL, 0, NULL, NULL, &changed),
                     GR_OK);
    assert_int_equal(changed, 0);
    changed = -1;
    assert_int_equal(
        grc_store_run(*state, NULL,
                      "INSERT INTO things (name) VALUES ('one') ON CONFLICT DO NOTHING", NULL, 0,
                      NULL, NULL, &changed),
        GR_OK);
    assert_int_equal(changed, 0);
    assert_int_equal(
        grc_store_run(*state, NULL, "SELECT name FROM things", NULL, 0, NULL, NULL, &changed),
        GR_OK);
    assert_int_equal(changed, 0);
    /* It is not changed on failure. */
    changed = 42;
    assert_int_equal(insert(*state, NULL, "one", &changed), GR_ERR_STORE_UNIQUE);
    assert_int_equal(changed, 42);
}

static void test_returning_hands_rows_over(void **state)
{
    int64_t id = -1;
    int64_t changed = -1;

    assert_int_equal(grc_store_run(*state, NULL,
                                   "INSERT INTO things (name) VALUES ('r') RETURNING id", NULL, 0,
                                   take_int, &id, &changed),
                     GR_OK);
    assert_int_equal(id, 1);
    assert_int_equal(changed, 1);
}

struct stop_at {
    size_t rows;
    size_t stop;
};

static enum gr_err stop_at_row(void *arg, const struct gr_value *columns, size_t count)
{
    struct stop_at *at = arg;

    (void)columns;
    (void)count;
    return ++at->rows == at->stop ? GR_ERR_CONFLICT : GR_OK;
}

static void test_an_error_of_the_row_function_ends_the_query(void **state)
{
    struct stop_at at = {.stop = 2};

    assert_int_equal(RUN(*state, "INSERT INTO things (name) VALUES ('a'), ('b'), ('c')"), GR_OK);
    assert_int_equal(
        grc_store_run(*state, NULL, "SELECT id FROM things", NULL, 0, stop_at_row, &at, NULL),
        GR_ERR_CONFLICT);
    assert_int_equal(at.rows, 2);
    /* The connection still works. */
    at = (struct stop_at){.stop = 9};
    assert_int_equal(
        grc_store_run(*state, NULL, "SELECT id FROM things", NULL, 0, stop_at_row, &at, NULL),
        GR_OK);
    assert_int_equal(at.rows, 3);
}

struct nested {
    struct grc_store *store;
    struct grc_store_session *session;
    unsigned depth;
    unsigned rows;
};

/* Runs the same statement again while one of its rows is in use. */
static enum gr_err nest(void *arg, const struct gr_value *columns, size_t count)
{
    struct nested *nested = arg;
    enum gr_err err = GR_OK;

    (void)columns;
    (void)count;
    nested->rows++;
    if (nested->depth++ < 2)
        err = grc_store_run(nested->store, nested->session, "SELECT id FROM things", NULL, 0, nest,
                            nested, NULL);
    nested->depth--;
    return err;
}

static enum gr_err nest_body(struct grc_store_session *session, void *arg)
{
    struct nested *nested = arg;

    nested->session = session;
    return grc_store_run(nested->store, session, "SELECT id FROM things", NULL, 0, nest, nested,
                         NULL);
}

static void test_a_row_function_may_query(void **state)
{
    struct nested nested = {.store = *state};

    assert_int_equal(RUN(*state, "INSERT INTO things (name) VALUES ('a'), ('b')"), GR_OK);
    assert_int_equal(
        grc_store_run(*state, NULL, "SELECT id FROM things", NULL, 0, nest, &nested, NULL), GR_OK);
    assert_int_equal(nested.rows, 2 + 4 + 8);
    nested = (struct nested){.store = *state};
    assert_int_equal(grc_store_tx(*state, nest_body, &nested), GR_OK);
    assert_int_equal(nested.rows, 2 + 4 + 8);
}

/* Runs more different statements than a connection keeps prepared. */
static void test_many_statements(void **state)
{
    char sql[64];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 300; i++) {
            (void)snprintf(sql, sizeof(sql), "SELECT %d", i);
            assert_int_equal(query_int(*state, sql), i);
        }
    }
}

static void test_a_changed_table_does_not_break_kept_statements(void **state)
{
    struct stop_at at = {.stop = 99};

    assert_int_equal(insert(*state, NULL, "one", NULL), GR_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            grc_store_run(*state, NULL, "SELECT * FROM things", NULL, 0, stop_at_row, &at, NULL),
            GR_OK);
        assert_int_equal(RUN(*state, i ? "ALTER TABLE things ADD COLUMN more2 TEXT"
                                       : "ALTER TABLE things ADD COLUMN more TEXT"),
                         GR_OK);
    }
    assert_int_equal(
        grc_store_run(*state, NULL, "SELECT * FROM things", NULL, 0, stop_at_row, &at, NULL),
        GR_OK);
    assert_int_equal(at.rows, 3);
}

/* ------------------------------------------------------------------------------------------ */
/* Transactions                                                                               */

struct tx {
    struct grc_store *store;
    enum gr_err result;
    unsigned runs;
    unsigned fail_first; /* so many runs end busy */
};

static enum gr_err tx_body(struct grc_store_session *session, void *arg)
{
    struct tx *tx = arg;

    tx->runs++;
    assert_int_equal(insert(tx->store, session, "in", NULL), GR_OK);
    return tx->runs <= tx->fail_first ? GR_ERR_STORE_BUSY : tx->result;
}

static void test_a_transaction_commits_or_leaves_nothing(void **state)
{
    struct tx tx = {.store = *state, .result = GR_ERR_NOT_FOUND};

    assert_int_equal(grc_store_tx(*state, tx_body, &tx), GR_ERR_NOT_FOUND);
    assert_int_equal(query_int(*state, "SELECT count(*) FROM things"), 0);
    tx.result = GR_OK;
    assert_int_equal(grc_store_tx(*state, tx_body, &tx), GR_OK);
    assert_int_equal(query_int(*state, "SELECT count(*) FROM things"), 1);
    assert_int_equal(tx.runs, 2);
}

static void test_a_busy_transaction_runs_again(void **state)
{
    struct tx tx = {.store = *state, .result = GR_OK, .fail_first = 3};

    assert_int_equal(grc_store_tx(*state, tx_body, &tx), GR_OK);
    assert_int_equal(tx.runs, 4);
    assert_int_equal(query_int(*state, "SELECT count(*) FROM things"), 1);
}

static void test_a_transaction_that_stays_busy_ends(void **state)
{
    struct tx tx = {.store = *state, .fail_first = 1000};
    int64_t started_ms = grc_mono_ms();

    assert_int_equal(grc_store_tx(*state, tx_body, &tx), GR_ERR_STORE_BUSY);
    assert_true(tx.runs > 3 && tx.runs < 100);
    assert_true(grc_mono_ms() - started_ms < 20000);
}

static enum gr_err ignore_failure(struct grc_store_session *session, void *arg)
{
    assert_int_equal(insert(arg, session, "a", NULL), GR_OK);
    assert_int_equal(insert(arg, session, "a", NULL), GR_ERR_STORE_UNIQUE);
    assert_int_equal(insert(arg, session, "b", NULL), GR_ERR_STORE_UNIQUE);
    return GR_OK;
}

static void test_a_failed_statement_dooms_its_transaction(void **state)
{
    assert_int_equal(grc_store_tx(*state, ignore_failure, *state), GR_ERR_STORE_UNIQUE);
    assert_int_equal(query_int(*state, "SELECT count(*) FROM things"), 0);
}

struct rival {
    struct grc_store *store;
    unsigned rounds;
    atomic_uint *won;
    atomic_uint *lost;
    atomic_uint *other;
};

/* Reads a number and writes it back plus one. The result is right only if transactions do not
 * overlap. */
static enum gr_err increment(struct grc_store_session *session, void *arg)
{
    struct rival *rival = arg;
    int64_t value = -1;

    enum gr_err err =
        grc_store_run(rival->store, session, "SELECT amount FROM things WHERE name = 'counter'",
                      NULL, 0, take_int, &value, NULL);
    if (err != GR_OK)
        return err;
    struct gr_value params[] = {gr_v_int(value + 1)};
    return grc_store_run(rival->store, session,
                         "UPDATE things SET amount = ?1 WHERE name = 'counter'", params, 1, NULL,
                         NULL, NULL);
}

static void *count_up(void *arg)
{
    struct rival *rival = arg;

    for (unsigned i = 0; i < rival->rounds; i++) {
        if (grc_store_tx(rival->store, increment, rival) == GR_OK)
            atomic_fetch_add(rival->won, 1);
        else
            atomic_fetch_add(rival->lost, 1);
    }
    return NULL;
}

static void *take_name(void *arg)
{
    struct rival *rival = arg;
    enum gr_err err = insert(rival->store, NULL, "wanted", NULL);

    atomic_fetch_add(err == GR_OK                 ? rival->won
                     : err == GR_ERR_STORE_UNIQUE ? rival->lost
                                                  : rival->other,
                     1);
    return NULL;
}

/* Half of the threads use a second store, as another gateway would. */
static void fight(struct grc_store *store, void *(*work)(void *), size_t threads, unsigned rounds,
                  atomic_uint counts[3])
{
    struct grc_store *second = open_store();
    pthread_t ids[24];
    struct rival rivals[24];

    assert_true(threads <= COUNT_OF(ids));
    for (size_t i = 0; i < threads; i++) {
        rivals[i] =
            (struct rival){i % 2 ? store : second, rounds, &counts[0], &counts[1], &counts[2]};
        assert_int_equal(pthread_create(&ids[i], NULL, work, &rivals[i]), 0);
    }
    for (size_t i = 0; i < threads; i++)
        assert_int_equal(pthread_join(ids[i], NULL), 0);
    grc_store_close(second);
}

static void test_rival_transactions_lose_no_update(void **state)
{
    atomic_uint counts[3] = {0, 0, 0};

    assert_int_equal(insert(*state, NULL, "counter", NULL), GR_OK);
    fight(*state, count_up, 6, 12, counts);
    assert_int_equal(counts[0] + counts[1], 72);
    assert_int_equal(counts[1], 0);
    assert_int_equal(query_int(*state, "SELECT amount FROM things"), (int)counts[0]);
}

static void test_of_twenty_rivals_one_gets_the_name(void **state)
{
    atomic_uint counts[3] = {0, 0, 0};

    fight(*state, take_name, 20, 1, counts);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 19);
    assert_int_equal(counts[2], 0);
}

/* A worker of the server has a small stack. Sanitizers need a larger one. */
static void *small_stack_work(void *arg)
{
    struct grc_store *store = open_store();
    struct tx tx = {.store = store, .result = GR_OK};

    *(enum gr_err *)arg = grc_store_tx(store, tx_body, &tx);
    grc_store_close(store);
    return NULL;
}

static void test_a_small_stack_is_enough(void **state)
{
    const char *sanitize = getenv("GR_SANITIZE");
    enum gr_err err = GR_ERR_INTERNAL;
    pthread_t id;

    (void)state;
    size_t stack_bytes = sanitize && *sanitize ? (size_t)8 * 1024 * 1024 : (size_t)64 * 1024;
    assert_true(grc_thread_start(&id, stack_bytes, small_stack_work, &err));
    assert_int_equal(pthread_join(id, NULL), 0);
    assert_int_equal(err, GR_OK);
}

/* ------------------------------------------------------------------------------------------ */
/* Migrations                                                                                 */

static enum gr_err migrate(struct grc_store *store, const struct gr_migration *steps,
                           const char *wanted_reason)
{
    char *reason = NULL;
    enum gr_err err = grc_store_migrate(store, "test", steps, sizeof(*steps), &reason);

    if (wanted_reason) {
        assert_non_null(reason);
        if (!strstr(reason, wanted_reason))
            fail_msg("'%s' is not in '%s'", wanted_reason, reason);
    }
    free(reason);
    return err;
}

static void test_steps_are_applied_once(void **state)
{
    assert_int_equal(query_int(*state, "SELECT count(*) FROM greenroom_migrations"), 2);
    assert_int_equal(migrate(*state, schema, NULL), GR_OK);
    assert_int_equal(query_int(*state, "SELECT count(*) FROM greenroom_migrations"), 2);
    assert_int_equal(insert(*state, NULL, "kept", NULL), GR_OK);
    const struct gr_migration more[] = {
        schema[0],
        schema[1],
        {.version = 3, .name = "more", .sql = "ALTER TABLE things ADD COLUMN more TEXT"},
        GR_END};
    assert_int_equal(migrate(*state, more, NULL), GR_OK);
    assert_int_equal(query_int(*state, "SELECT count(*) FROM things WHERE more IS NULL"), 1);
    assert_int_equal(migrate(*state, schema, "newer release"), GR_ERR_STORE);
}

static void test_an_edited_step_is_refused(void **state)
{
    struct gr_migration edited[] = {schema[0], schema[1], GR_END};

    edited[0].sql = "CREATE TABLE things (id INTEGER PRIMARY KEY)";
    edited[0].postgres = NULL;
    assert_int_equal(migrate(*state, edited,
                             "plugin 'test', migration 1 'things': the store has "
                             "applied this step with a different text"),
                     GR_ERR_STORE);
}

static void test_a_failed_step_leaves_nothing(void **state)
{
    const struct gr_migration broken[] = {
        schema[0],
        schema[1],
        {.version = 3, .name = "broken", .sql = "CREATE TABLE fine (a TEXT); CREATE TABEL oops"},
        GR_END};

    assert_int_equal(migrate(*state, broken, "its SQL failed"), GR_ERR_STORE);
    assert_int_equal(RUN(*state, "SELECT a FROM fine"), GR_ERR_STORE);
    assert_int_equal(query_int(*state, "SELECT count(*) FROM greenroom_migrations"), 2);
}

static void test_misnumbered_steps_are_refused(void **state)
{
    const struct gr_migration gap[] = {{.version = 1, .name = "a", .sql = "SELECT 1"},
                                       {.version = 3, .name = "b", .sql = "SELECT 1"},
                                       GR_END};

    assert_int_equal(migrate(*state, gap, "expected versions"), GR_ERR_STORE);
}

static void *migrate_work(void *arg)
{
    static const struct gr_migration slow[] = {
        {.version = 1, .name = "once", .sql = "CREATE TABLE once (a TEXT)"},
        {.version = 2, .name = "twice", .sql = "ALTER TABLE once ADD COLUMN b TEXT"},
        GR_END};
    struct rival *rival = arg;
    char *reason = NULL;

    if (grc_store_migrate(rival->store, "race", slow, sizeof(slow[0]), &reason) == GR_OK)
        atomic_fetch_add(rival->won, 1);
    free(reason);
    return NULL;
}

static void test_gateways_that_start_together_take_turns(void **state)
{
    atomic_uint counts[3] = {0, 0, 0};

    fight(*state, migrate_work, 6, 1, counts);
    assert_int_equal(counts[0], 6);
}

/* ------------------------------------------------------------------------------------------ */
/* Failure                                                                                    */

static void test_ping(void **state)
{
    assert_int_equal(grc_store_ping(*state), GR_OK);
    assert_string_equal(grc_store_kind(*state), setting.engine);
}

static void refused(const char *url, const char *wanted, const char *secret)
{
    char *reason = NULL;
    struct grc_store *store = grc_store_open(url, &reason);

    assert_null(store);
    assert_non_null(reason);
    if (!strstr(reason, wanted))
        fail_msg("'%s' is not in '%s'", wanted, reason);
    if (secret && strstr(reason, secret))
        fail_msg("the secret is in '%s'", reason);
    free(reason);
}

static void test_bad_urls_are_refused(void **state)
{
    (void)state;
    refused("mysql://localhost/x", "expected sqlite:PATH", NULL);
    refused("", "expected sqlite:PATH", NULL);
    if (!is_postgres()) {
        refused("sqlite:", "path of a file", NULL);
        refused("sqlite::memory:", "path of a file", NULL);
        refused("sqlite:/nowhere/at/all.db", "/nowhere/at/all.db", NULL);
        refused("sqlite:/dev/null", "/dev/null", NULL);
        return;
    }
    refused("postgres://u:hunter2@127.0.0.1:1/x", "onnection", "hunter2");
    refused("postgres://u:hun@ter2@127.0.0.1:1/x", "cannot be understood", "ter2");
    refused("postgres://u:hun/ter2@127.0.0.1:1/x", "cannot be understood", "ter2");
    refused("postgres://u:hunter2@127.0.0.1:1/x?pool_max=0", "pool_max", "hunter2");
    refused("postgres://u:hunter2@127.0.0.1:1/x?foo=1", "cannot be understood", "hunter2");
}

/* All rows that a killed process acknowledged must be present, without gaps. */
static void write_until_killed(int ack)
{
    char *reason = NULL;
    struct grc_store *store = grc_store_open(setting.url, &reason);

    for (uint32_t i = 1; store; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "row%u", i);
        if (insert(store, NULL, name, NULL) != GR_OK || write(ack, &i, sizeof(i)) != sizeof(i))
            break;
    }
    _exit(1);
}

static void kill_in_the_middle(struct grc_store *store, uint32_t acks)
{
    uint32_t seen = 0;
    int pipe_fds[2];

    assert_int_equal(RUN(store, "DELETE FROM things"), GR_OK);
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(pipe_fds[0]);
        write_until_killed(pipe_fds[1]);
    }
    close(pipe_fds[1]);
    while (seen < acks)
        assert_int_equal(read(pipe_fds[0], &seen, sizeof(seen)), sizeof(seen));
    assert_int_equal(kill(child, SIGKILL), 0);
    while (read(pipe_fds[0], &seen, sizeof(seen)) == sizeof(seen))
        continue;
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    int64_t rows = query_int(store, "SELECT count(*) FROM things");
    assert_true(rows >= seen && rows <= (int64_t)seen + 1);
}

static void test_kill_9_loses_no_acknowledged_row(void **state)
{
    if (is_postgres())
        return;
    for (uint32_t round = 0; round < 5; round++) {
        grc_store_close(*state);
        *state = NULL;
        struct grc_store *store = open_store();
        kill_in_the_middle(store, 20 + round * 37);
        assert_int_equal(insert(store, NULL, "after", NULL), GR_OK);
        *state = store;
    }
}

static void test_the_file_is_for_its_owner_alone(void **state)
{
    struct stat status;

    (void)state;
    if (is_postgres())
        return;
    assert_int_equal(stat(setting.url + strlen("sqlite:"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

/* Ends all sessions of the server at the same time, as a restart of the server does. */
static void test_ended_connections_are_replaced(void **state)
{
    if (!is_postgres())
        return;
    struct grc_store *other = open_store();
    for (int round = 0; round < 3; round++) {
        assert_int_equal(grc_store_ping(*state), GR_OK);
        assert_int_equal(RUN(other, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                                    " WHERE application_name = 'greenroom'"
                                    " AND pid <> pg_backend_pid()"),
                         GR_OK);
        char name[16];
        (void)snprintf(name, sizeof(name), "row%d", round);
        assert_int_equal(insert(*state, NULL, name, NULL), GR_OK);
    }
    assert_int_equal(query_int(*state, "SELECT count(*) FROM things"), 3);
    grc_store_close(other);
}

static void control(const char *verb)
{
    const char *script = getenv("GR_TEST_POSTGRES_CONTROL");
    const char *dir = getenv("GR_TEST_POSTGRES_DIR");
    char command[1024];

    assert_non_null(script);
    assert_non_null(dir);
    (void)snprintf(command, sizeof(command), "'%s' %s '%s'", script, verb, dir);
    assert_int_equal(system(command), 0);
}

static void test_a_server_that_goes_and_comes_back(void **state)
{
    struct tx tx = {.store = *state, .result = GR_OK};

    if (!is_postgres())
        return;
    control("restart");
    assert_int_equal(grc_store_tx(*state, tx_body, &tx), GR_OK);
    control("halt");
    assert_int_equal(grc_store_ping(*state), GR_ERR_STORE_DOWN);
    assert_int_equal(insert(*state, NULL, "lost", NULL), GR_ERR_STORE_DOWN);
    assert_int_equal(grc_store_tx(*state, tx_body, &tx), GR_ERR_STORE_DOWN);
    assert_int_equal(tx.runs, 1);
    control("resume");
    int64_t deadline_ms = grc_mono_ms() + 10000;
    while (grc_store_ping(*state) != GR_OK && grc_mono_ms() < deadline_ms)
        (void)usleep(20000);
    assert_int_equal(query_int(*state, "SELECT count(*) FROM things"), 1);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_values_come_back_as_they_went),
        STORE_TEST(test_a_huge_blob_fits),
        STORE_TEST(test_text_with_nul_or_broken_utf8_is_refused),
        STORE_TEST(test_sums_and_comparisons_are_integers),
        STORE_TEST(test_marks_inside_of_text_are_no_parameters),
        STORE_TEST(test_errors_are_typed),
        STORE_TEST(test_the_number_of_changed_rows),
        STORE_TEST(test_returning_hands_rows_over),
        STORE_TEST(test_an_error_of_the_row_function_ends_the_query),
        STORE_TEST(test_a_row_function_may_query),
        STORE_TEST(test_many_statements),
        STORE_TEST(test_a_changed_table_does_not_break_kept_statements),
        STORE_TEST(test_a_transaction_commits_or_leaves_nothing),
        STORE_TEST(test_a_busy_transaction_runs_again),
        STORE_TEST(test_a_transaction_that_stays_busy_ends),
        STORE_TEST(test_a_failed_statement_dooms_its_transaction),
        STORE_TEST(test_rival_transactions_lose_no_update),
        STORE_TEST(test_of_twenty_rivals_one_gets_the_name),
        STORE_TEST(test_a_small_stack_is_enough),
        STORE_TEST(test_steps_are_applied_once),
        STORE_TEST(test_an_edited_step_is_refused),
        STORE_TEST(test_a_failed_step_leaves_nothing),
        STORE_TEST(test_misnumbered_steps_are_refused),
        STORE_TEST(test_gateways_that_start_together_take_turns),
        STORE_TEST(test_ping),
        STORE_TEST(test_bad_urls_are_refused),
        STORE_TEST(test_kill_9_loses_no_acknowledged_row),
        STORE_TEST(test_the_file_is_for_its_owner_alone),
        STORE_TEST(test_ended_connections_are_replaced),
        STORE_TEST(test_a_server_that_goes_and_comes_back),
    };

    grc_log_level_set(GR_LOG_ERROR);
    setting.engine = argc > 1 ? argv[1] : "sqlite";
    if (is_postgres()) {
        setting.url = getenv("GR_TEST_POSTGRES");
        if (!setting.url) {
            (void)fprintf(stderr, "SKIPPED: GR_TEST_POSTGRES is not set\n");
            return 77;
        }
    }
    return cmocka_run_group_tests_name(setting.engine, tests, NULL, NULL);
}
