/*
 * The durable queue of plugins: order, leases, waits, clocks. "test_queue" runs on SQLite;
 * "test_queue postgres" needs GR_TEST_POSTGRES, see support/postgres.sh.
 */
#include "../../plugins/minigroups/mqtt/schema.h"
#include "../../plugins/minigroups/store/schema.h"
#include "../../plugins/shared/queue.h"

#include "base/arena.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* --- a host that has what the queue needs: memory, a store, and a clock that the tests set --- */

static struct {
    struct grc_arena arena;
    struct grc_store *store;
    const char *postgres; /* URL; NULL: a new SQLite file for each test */
    char dir[64];
    struct grc_store_session *session; /* of the transaction that runs */
    int64_t now_ms;
    unsigned ids;
    unsigned statements;
    /* What another gateway does after a statement that begins so; NULL: nothing. */
    void (*meanwhile)(void);
    const char *after;
    bool explains; /* each statement is explained first, and what it read is added to these */
    int64_t rows_read;
    const char *plan;
} world;

static void *host_alloc(struct gr_call *call, size_t bytes)
{
    (void)call;
    return grc_arena_alloc(&world.arena, bytes);
}

static char *host_vformat(struct gr_call *call, const char *format, va_list args)
{
    (void)call;
    return grc_arena_vformat(&world.arena, format, args);
}

static int64_t host_store_now_ms(struct gr_call *call)
{
    (void)call;
    return world.now_ms;
}

/* Each id is smaller than the one before, so that the order of ids is not the order in which rows
 * were added. */
static void host_uuid(char ret_text[37])
{
    (void)snprintf(ret_text, 37, "%036u", 1000000u - world.ids++);
}

/* --- what a statement reads --- */

struct explained {
    const char *sql;
    const struct gr_value *params;
    size_t count;
};

/* Adds up "rows=4 loops=2" and "Rows Removed by Filter: 3" of a line of PostgreSQL. */
static int64_t rows_of(const char *line)
{
    const char *rows = strstr(line, "(actual rows=");
    const char *loops = strstr(line, "loops=");
    const char *removed = strstr(line, "Rows Removed by ");

    if (rows && loops)
        return strtoll(rows + strlen("(actual rows="), NULL, 10) *
               strtoll(loops + strlen("loops="), NULL, 10);
    return removed ? strtoll(strchr(removed, ':') + 1, NULL, 10) : 0;
}

static enum gr_err take_line(void *arg, const struct gr_value *columns, size_t count)
{
    const char *line = grc_arena_copy(&world.arena, columns[count - 1].s);

    (void)arg;
    world.rows_read += rows_of(line);
    world.plan = grc_arena_format(&world.arena, "%s%s\n", world.plan, line);
    return GR_OK;
}

/* Runs a statement to see what it reads, and undoes it. */
static enum gr_err explain(struct grc_store_session *session, void *arg)
{
    const struct explained *e = arg;
    const char *words = world.postgres
                            ? "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) "
                            : "EXPLAIN QUERY PLAN ";
    const char *sql = grc_arena_format(&world.arena, "%s%s", words, e->sql);
    enum gr_err err =
        grc_store_run(world.store, session, sql, e->params, e->count, take_line, NULL, NULL);

    assert_int_equal(err, GR_OK);
    return GR_ERR_CANCELLED;
}

static enum gr_err host_store_run(struct gr_call *call, const char *sql,
                                  const struct gr_value *params, size_t count, gr_row_fn *each,
                                  void *arg, int64_t *ret_changed)
{
    (void)call;
    world.statements++;
    if (world.explains) {
        struct explained explained = {sql, params, count};

        assert_int_equal(grc_store_tx(world.store, explain, &explained), GR_ERR_CANCELLED);
    }
    enum gr_err err =
        grc_store_run(world.store, world.session, sql, params, count, each, arg, ret_changed);
    void (*meanwhile)(void) = world.meanwhile;
    if (meanwhile && strncmp(sql, world.after, strlen(world.after)) == 0) {
        world.meanwhile = NULL;
        meanwhile();
    }
    return err;
}

struct body {
    struct gr_call *call;
    gr_tx_fn *run;
    void *arg;
};

static enum gr_err run_body(struct grc_store_session *session, void *arg)
{
    const struct body *body = arg;

    world.session = session;
    enum gr_err err = body->run(body->call, body->arg);
    world.session = NULL;
    return err;
}

static enum gr_err host_store_tx(struct gr_call *call, gr_tx_fn *run, void *arg)
{
    struct body body = {call, run, arg};

    return grc_store_tx(world.store, run_body, &body);
}

static const struct gr_host host = {
    .alloc = host_alloc,
    .vformat = host_vformat,
    .store_now_ms = host_store_now_ms,
    .uuid = host_uuid,
    .store_run = host_store_run,
    .store_tx = host_store_tx,
};
static struct gr_call call = {.host = &host};

/* --- the queues --- */

static const struct gr_migration schema[] = {
    {.version = 1,
     .name = "queues",
     .sql = "CREATE TABLE jobs (id TEXT NOT NULL PRIMARY KEY, came_ms BIGINT NOT NULL,"
            " class TEXT NOT NULL, word TEXT NOT NULL, amount BIGINT,"
            " attempts BIGINT NOT NULL DEFAULT 0, due_ms BIGINT NOT NULL,"
            " behind BIGINT NOT NULL DEFAULT 0);"
            "CREATE TABLE kept (seq BIGINT NOT NULL, target TEXT NOT NULL,"
            " attempts BIGINT NOT NULL DEFAULT 0, due_ms BIGINT, done_ms BIGINT,"
            " PRIMARY KEY (seq, target))"},
    {.version = 2,
     .name = "series",
     .sql = "CREATE TABLE events (seq BIGINT NOT NULL, target TEXT NOT NULL, room TEXT,"
            " attempts BIGINT NOT NULL DEFAULT 0, due_ms BIGINT, done_ms BIGINT,"
            " behind BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (seq, target));"
            "CREATE INDEX events_room ON events (target, room, seq) WHERE due_ms IS NOT NULL;"
            "CREATE INDEX events_waits ON events (target, seq) WHERE due_ms IS NOT NULL;"
            "CREATE INDEX events_first ON events (target, due_ms, seq)"
            " WHERE due_ms IS NOT NULL AND behind = 0;"
            "CREATE TABLE pauses (name TEXT PRIMARY KEY, paused_ms BIGINT)"},
    GR_END,
};

static const int64_t waits_ms[] = {1000, 5000, 0};
#define LEASE_MS 60000
#define JOBS                                                                                       \
    .table = "jobs", .key = "id", .order = "came_ms", .columns = "word, amount",                   \
    .lease_ms = LEASE_MS, .waits_ms = waits_ms, .attempts_max = 4

static const struct queue plain = {JOBS, .lane = "class"};
static const struct queue ordered = {JOBS, .lane = "class", .in_order = true};
static const struct queue kept = {.table = "kept",
                                  .key = "seq",
                                  .order = "seq",
                                  .lane = "target",
                                  .columns = "seq",
                                  .keeps_rows = true,
                                  .lease_ms = LEASE_MS,
                                  .waits_ms = waits_ms,
                                  .attempts_max = 2};

#define ROOMS                                                                                      \
    .table = "events", .key = "seq", .order = "seq", .lane = "target", .columns = "seq",           \
    .series = "room", .pauses = "pauses", .keeps_rows = true, .lease_ms = LEASE_MS,                \
    .waits_ms = waits_ms, .attempts_max = 9
static const struct queue rooms = {ROOMS};
static const struct queue loose = {ROOMS, .unordered = true};

static int setup(void **state)
{
    char *reason = NULL;

    (void)state;
    world.now_ms = 1700000000000;
    world.ids = 0;
    world.explains = false;
    world.meanwhile = NULL;
    world.plan = "";
    grc_arena_init(&world.arena, 1u << 22);
    (void)snprintf(world.dir, sizeof(world.dir), "/tmp/greenroom-queue.XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    const char *url =
        world.postgres ? world.postgres : gr_format(&call, "sqlite:%s/test.db", world.dir);
    world.store = grc_store_open(url, &reason);
    if (!world.store)
        fail_msg("%s", reason);
    if (world.postgres) {
        assert_int_equal(gr_store_exec(&call, "DROP SCHEMA public CASCADE", GR_NO_PARAMS), GR_OK);
        assert_int_equal(gr_store_exec(&call, "CREATE SCHEMA public", GR_NO_PARAMS), GR_OK);
    }
    assert_int_equal(grc_store_migrate(world.store, "test", schema, sizeof(schema[0]), &reason),
                     GR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    grc_store_close(world.store);
    int status = system(gr_format(&call, "rm -rf '%s'", world.dir));
    grc_arena_done(&world.arena);
    return status;
}

static void put(const struct queue *queue, const char *lane, const char *word)
{
    const struct gr_value values[] = {gr_v_text(word), gr_v_null()};

    assert_int_equal(queue_put(&call, queue, lane, values, 2, 0, NULL), GR_OK);
}

/* Claims up to max rows and joins their words. */
static const char *claim(const struct queue *queue, const char *lane, struct queue_item *items,
                         size_t max)
{
    const char *words = "";
    size_t count = 99;

    assert_int_equal(queue_claim(&call, queue, lane, items, max, &count), GR_OK);
    for (size_t i = 0; i < count; i++)
        words = gr_format(&call, "%s%s", words, queue_text(&items[i], 0));
    return words;
}

static enum gr_err take_int(void *arg, const struct gr_value *columns, size_t count)
{
    assert_int_equal(count, 1);
    *(int64_t *)arg = columns[0].i;
    return GR_OK;
}

static int64_t number(const char *sql)
{
    int64_t value = -1;

    assert_int_equal(gr_store_query(&call, sql, GR_NO_PARAMS, take_int, &value), GR_OK);
    return value;
}

/* --- tests --- */

static void rows_come_in_the_order_they_were_put(void **unused)
{
    struct queue_item items[4];

    (void)unused;
    put(&plain, "x", "a");
    put(&plain, "y", "b"); /* within the same millisecond */
    world.now_ms -= 3600000;
    put(&plain, "x", "c"); /* the clock was set back by an hour */
    world.now_ms += 3600000;
    assert_string_equal(claim(&plain, NULL, items, 4), "abc");
    assert_string_equal(items[1].lane, "y");
    assert_int_equal(items[0].columns[1].kind, GR_VALUE_NULL);
    assert_int_equal(items[0].attempts, 0);
}

static void a_claim_takes_no_more_than_asked_and_only_of_its_lane(void **unused)
{
    struct queue_item items[2];

    (void)unused;
    put(&plain, "x", "a");
    put(&plain, "y", "b");
    put(&plain, "x", "c");
    put(&plain, "x", "d");
    assert_string_equal(claim(&plain, "y", items, 2), "b");
    assert_string_equal(claim(&plain, NULL, items, 2), "ac");
    assert_string_equal(claim(&plain, NULL, items, 2), "d");
    assert_string_equal(claim(&plain, NULL, items, 2), "");
}

static void a_claimed_row_is_given_to_no_other_until_its_lease_ends(void **unused)
{
    struct queue_item first;
    struct queue_item second;
    bool given_up = true;

    (void)unused;
    put(&plain, "x", "a");
    assert_string_equal(claim(&plain, NULL, &first, 1), "a");
    world.now_ms += LEASE_MS - 1;
    assert_string_equal(claim(&plain, NULL, &second, 1), "");
    world.now_ms += 1;
    assert_string_equal(claim(&plain, NULL, &second, 1), "a");
    /* the first is late: it no longer owns the row */
    assert_int_equal(queue_done(&call, &plain, &first), GR_OK);
    assert_int_equal(queue_fail(&call, &plain, &first, &given_up), GR_OK);
    assert_int_equal(queue_release(&call, &plain, &first), GR_OK);
    first.attempts = 3;
    assert_int_equal(queue_fail(&call, &plain, &first, &given_up), GR_OK);
    assert_false(given_up);
    assert_int_equal(number("SELECT count(*) FROM jobs WHERE attempts = 0"), 1);
    assert_int_equal(queue_done(&call, &plain, &second), GR_OK);
    assert_int_equal(number("SELECT count(*) FROM jobs"), 0);
}

static void a_lease_that_is_renewed_begins_again_unless_it_was_lost(void **unused)
{
    struct queue_item item;
    struct queue_item other;
    bool held = false;

    (void)unused;
    put(&plain, "x", "a");
    assert_string_equal(claim(&plain, NULL, &item, 1), "a");
    world.now_ms += LEASE_MS - 1;
    assert_int_equal(queue_renew(&call, &plain, &item, &held), GR_OK);
    assert_true(held);
    world.now_ms += LEASE_MS - 1;
    assert_string_equal(claim(&plain, NULL, &other, 1), "");
    world.now_ms += 1;
    assert_string_equal(claim(&plain, NULL, &other, 1), "a");
    assert_int_equal(queue_renew(&call, &plain, &item, &held), GR_OK);
    assert_false(held);
    assert_int_equal(queue_renew(&call, &plain, &other, &held), GR_OK);
    assert_true(held);
    assert_int_equal(queue_done(&call, &plain, &other), GR_OK);
    assert_int_equal(number("SELECT count(*) FROM jobs"), 0);
}

static void failures_wait_longer_and_end(void **unused)
{
    static const int64_t expected_ms[] = {1000, 5000, 5000};
    struct queue_item item;
    bool given_up = true;

    (void)unused;
    put(&plain, "x", "a");
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(claim(&plain, NULL, &item, 1), "a");
        assert_int_equal(item.attempts, i);
        assert_int_equal(queue_fail(&call, &plain, &item, &given_up), GR_OK);
        assert_false(given_up);
        world.now_ms += expected_ms[i] - 1;
        assert_string_equal(claim(&plain, NULL, &item, 1), "");
        world.now_ms += 1;
    }
    assert_string_equal(claim(&plain, NULL, &item, 1), "a");
    assert_int_equal(queue_fail(&call, &plain, &item, &given_up), GR_OK);
    assert_true(given_up);
    assert_int_equal(number("SELECT count(*) FROM jobs"), 0);
}

static void a_released_row_is_due_at_once_and_no_attempt(void **unused)
{
    struct queue_item item;

    (void)unused;
    put(&plain, "x", "a");
    assert_string_equal(claim(&plain, NULL, &item, 1), "a");
    assert_int_equal(queue_release(&call, &plain, &item), GR_OK);
    assert_string_equal(claim(&plain, NULL, &item, 1), "a");
    assert_int_equal(item.attempts, 0);
}

static void a_released_row_keeps_its_place(void **unused)
{
    struct queue_item items[2];

    (void)unused;
    put(&plain, "x", "a");
    world.now_ms += 10;
    put(&plain, "x", "b");
    assert_string_equal(claim(&plain, NULL, items, 1), "a");
    world.now_ms += 10;
    assert_int_equal(queue_release(&call, &plain, &items[0]), GR_OK);
    assert_int_equal(number("SELECT count(*) FROM jobs WHERE due_ms > came_ms"), 0);
    assert_string_equal(claim(&plain, NULL, items, 2), "ab");
}

static void take_the_first(void)
{
    assert_int_equal(gr_store_exec(&call, "UPDATE jobs SET due_ms = 1700000060000 WHERE word = 'a'",
                                   GR_NO_PARAMS),
                     GR_OK);
}

static void gateways_that_were_too_late_do_not_meet_again(void **unused)
{
    struct queue_item item;
    unsigned found[256] = {0};
    unsigned others = 0;

    (void)unused;
    for (char word[] = "a"; *word <= 'h'; (*word)++)
        put(&plain, "x", word);
    for (unsigned i = 0; i < 40; i++) {
        world.meanwhile = take_the_first;
        world.after = "SELECT";
        const char *word = claim(&plain, NULL, &item, 1);
        assert_true(*word > 'a' && *word <= 'h');
        found[(unsigned char)*word]++;
        assert_int_equal(gr_store_exec(&call, "UPDATE jobs SET due_ms = 1", GR_NO_PARAMS), GR_OK);
    }
    for (char word = 'c'; word <= 'h'; word++)
        others += found[(unsigned char)word] > 0;
    assert_true(others >= 3);
}

static void in_order_a_lane_waits_for_its_first_row(void **unused)
{
    struct queue_item items[4];
    struct queue_item first;
    bool given_up;

    (void)unused;
    put(&ordered, "x", "a");
    put(&ordered, "x", "b");
    put(&ordered, "y", "c");
    assert_string_equal(claim(&ordered, NULL, items, 4), "ac");
    first = items[0];
    assert_string_equal(claim(&ordered, NULL, items, 4), "");
    assert_int_equal(queue_fail(&call, &ordered, &first, &given_up), GR_OK);
    assert_string_equal(claim(&ordered, NULL, items, 4), "");
    world.now_ms += 1000;
    assert_string_equal(claim(&ordered, "x", items, 4), "a");
    assert_int_equal(queue_done(&call, &ordered, &items[0]), GR_OK);
    assert_string_equal(claim(&ordered, NULL, items, 4), "b");
}

/* Another gateway settles the row before this one, and does not see this one yet. */
static void settle_the_one_before(void)
{
    assert_int_equal(gr_store_exec(&call, "DELETE FROM jobs WHERE word = 'a'", GR_NO_PARAMS),
                     GR_OK);
}

static void in_order_a_row_goes_on_when_the_one_before_it_ends_meanwhile(void **unused)
{
    struct queue_item items[4];

    (void)unused;
    put(&ordered, "x", "a");
    put(&ordered, "y", "c");
    world.meanwhile = settle_the_one_before;
    world.after = "INSERT";
    put(&ordered, "x", "b");
    assert_null(world.meanwhile);
    assert_string_equal(claim(&ordered, NULL, items, 4), "cb");
    put(&ordered, "x", "d"); /* behind a row that is there */
    assert_int_equal(number("SELECT sum(behind) FROM jobs"), 1);
}

static void in_order_a_row_of_an_older_release_overtakes_none(void **unused)
{
    struct queue_item items[4];

    (void)unused;
    put(&ordered, "x", "a");
    assert_string_equal(claim(&ordered, NULL, items, 4), "a");
    put(&plain, "x", "b"); /* it does not know the column */
    assert_int_equal(number("SELECT sum(behind) FROM jobs"), 0);
    assert_string_equal(claim(&ordered, NULL, items, 4), "");
    assert_int_equal(queue_done(&call, &ordered, &items[0]), GR_OK);
    assert_string_equal(claim(&ordered, NULL, items, 4), "b");
}

static void in_order_the_rows_of_all_lanes_are_repaired(void **unused)
{
    struct queue_item items[4];
    int64_t count = -1;

    (void)unused;
    put(&ordered, "x", "a");
    put(&ordered, "x", "b");
    put(&ordered, "y", "c");
    put(&ordered, "y", "d");
    assert_int_equal(queue_repair(&call, &ordered, NULL, &count), GR_OK);
    assert_int_equal(count, 0);
    /* Gateways died when they had deleted these. */
    assert_int_equal(
        gr_store_exec(&call, "DELETE FROM jobs WHERE word IN ('a', 'c')", GR_NO_PARAMS), GR_OK);
    assert_string_equal(claim(&ordered, NULL, items, 4), "");
    assert_int_equal(queue_repair(&call, &ordered, NULL, &count), GR_OK);
    assert_int_equal(count, 2);
    assert_string_equal(claim(&ordered, NULL, items, 4), "bd");
}

static void without_order_a_failed_row_holds_up_no_other(void **unused)
{
    struct queue_item item;
    bool given_up;

    (void)unused;
    put(&plain, "x", "a");
    put(&plain, "x", "b");
    assert_string_equal(claim(&plain, NULL, &item, 1), "a");
    assert_int_equal(queue_fail(&call, &plain, &item, &given_up), GR_OK);
    assert_string_equal(claim(&plain, NULL, &item, 1), "b");
}

static void a_clock_set_back_holds_up_no_row_for_long(void **unused)
{
    struct queue_item item;
    bool given_up;

    (void)unused;
    put(&plain, "x", "a");
    assert_string_equal(claim(&plain, NULL, &item, 1), "a");
    assert_int_equal(queue_fail(&call, &plain, &item, &given_up), GR_OK);
    world.now_ms -= 86400000; /* a day */
    assert_string_equal(claim(&plain, NULL, &item, 1), "a");
    /* but a lease of a gateway whose clock is a little ahead holds */
    world.now_ms -= 30000;
    assert_string_equal(claim(&plain, NULL, &item, 1), "");
}

static void a_row_can_be_put_and_handled_at_once(void **unused)
{
    const struct gr_value values[] = {gr_v_text("a"), gr_v_int(7)};
    struct queue_item item;
    struct queue_item other;

    (void)unused;
    assert_int_equal(queue_put(&call, &plain, "x", values, 2, LEASE_MS, &item), GR_OK);
    assert_string_equal(claim(&plain, NULL, &other, 1), "");
    assert_int_equal(queue_done(&call, &plain, &item), GR_OK);
    assert_int_equal(number("SELECT count(*) FROM jobs"), 0);
}

static void settled_rows_can_be_kept(void **unused)
{
    struct queue_item item;
    size_t count = 0;
    bool given_up = false;

    (void)unused;
    assert_int_equal(gr_store_exec(&call,
                                   "INSERT INTO kept (seq, target, due_ms) VALUES (1, 'x', 0),"
                                   " (1, 'y', 0), (2, 'x', 0)",
                                   GR_NO_PARAMS),
                     GR_OK);
    assert_int_equal(queue_claim(&call, &kept, "x", &item, 1, &count), GR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(queue_done(&call, &kept, &item), GR_OK);
    assert_int_equal(number("SELECT count(*) FROM kept WHERE seq = 1 AND target = 'x'"
                            " AND done_ms = 1700000000000 AND due_ms IS NULL AND attempts = 1"),
                     1);
    assert_int_equal(number("SELECT count(*) FROM kept WHERE due_ms = 0"), 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(queue_claim(&call, &kept, "x", &item, 1, &count), GR_OK);
        assert_int_equal(count, 1);
        assert_int_equal(queue_fail(&call, &kept, &item, &given_up), GR_OK);
        world.now_ms += 5000;
    }
    assert_true(given_up);
    assert_int_equal(
        number("SELECT count(*) FROM kept WHERE seq = 2 AND due_ms IS NULL AND done_ms IS NULL"),
        1);
}

/* --- series --- */

static void run_sql(const char *sql)
{
    assert_int_equal(gr_store_exec(&call, sql, GR_NO_PARAMS), GR_OK);
}

static void add(const struct queue *queue, int64_t seq, const char *room)
{
    const struct gr_value values[] = {gr_v_int(seq), gr_v_text("t"), gr_v_text(room),
                                      gr_v_int(world.now_ms)};
    const char *sql = gr_format(&call,
                                "INSERT INTO events (seq, target, room, due_ms, behind)"
                                " VALUES (?1, ?2, ?3, ?4, %s)",
                                queue_behind(&call, queue, "?2", "?3"));

    assert_int_equal(gr_store_exec(&call, sql, values, 4), GR_OK);
}

/* Claims and lists the keys: "1 4 ". */
static const char *claim_keys(const struct queue *queue, struct queue_item *items, size_t max)
{
    const char *keys = "";
    size_t count = 99;

    assert_int_equal(queue_claim(&call, queue, "t", items, max, &count), GR_OK);
    for (size_t i = 0; i < count; i++)
        keys = gr_format(&call, "%s%lld ", keys, (long long)items[i].key.i);
    return keys;
}

static void add_two_rooms(void)
{
    add(&rooms, 1, "a");
    add(&rooms, 2, "a");
    add(&rooms, 3, "a");
    add(&rooms, 4, "b");
    add(&rooms, 5, NULL);
    add(&rooms, 6, NULL);
}

static void a_row_waits_for_the_earlier_ones_of_its_series(void **unused)
{
    struct queue_item items[8];
    bool given_up;

    (void)unused;
    add_two_rooms();
    assert_string_equal(claim_keys(&rooms, items, 8), "1 4 5 6 ");
    assert_int_equal(queue_done(&call, &rooms, &items[0]), GR_OK);
    assert_int_equal(queue_done(&call, &rooms, &items[1]), GR_OK);
    assert_string_equal(claim_keys(&rooms, items, 8), "2 ");
    assert_int_equal(queue_fail(&call, &rooms, &items[0], &given_up), GR_OK);
    assert_string_equal(claim_keys(&rooms, items, 8), "");
    world.now_ms += 1000;
    assert_string_equal(claim_keys(&rooms, items, 8), "2 ");
    assert_int_equal(queue_give_up(&call, &rooms, &items[0]), GR_OK);
    add(&rooms, 7, "a"); /* behind 3 */
    add(&rooms, 8, "b"); /* the only one of its room that waits */
    assert_string_equal(claim_keys(&rooms, items, 8), "3 8 ");
    assert_int_equal(queue_release(&call, &rooms, &items[0]), GR_OK);
    assert_string_equal(claim_keys(&rooms, items, 8), "3 ");
}

static void the_end_of_a_row_can_claim_the_next_of_its_series(void **unused)
{
    struct queue_item items[8];
    struct queue_item next;
    struct queue_item other;
    bool taken;

    (void)unused;
    add_two_rooms();
    assert_string_equal(claim_keys(&rooms, items, 1), "1 ");
    world.now_ms += 10;
    assert_int_equal(queue_done_next(&call, &rooms, &items[0], &next, &taken), GR_OK);
    assert_true(taken);
    assert_int_equal(next.key.i, 2);
    assert_int_equal(next.lease_ms, items[0].lease_ms);
    assert_string_equal(claim_keys(&rooms, items, 8), "4 5 6 ");
    world.now_ms += LEASE_MS - 10; /* the end of that lease, and not of the others */
    assert_string_equal(claim_keys(&rooms, items, 8), "2 ");
    assert_int_equal(queue_done_next(&call, &rooms, &next, &other, &taken), GR_OK);
    assert_false(taken); /* it is not this gateway's any more */
    run_sql("UPDATE events SET due_ms = due_ms + 100000 WHERE seq = 3"); /* it is not due yet */
    assert_int_equal(queue_done_next(&call, &rooms, &items[0], &other, &taken), GR_OK);
    assert_false(taken);
    world.now_ms += 60000;
    assert_string_equal(claim_keys(&rooms, items, 8), "3 4 5 6 ");
    assert_int_equal(queue_done_next(&call, &rooms, &items[0], &other, &taken), GR_OK);
    assert_false(taken); /* it was the last row */
}

static void nothing_of_a_paused_lane_is_claimed(void **unused)
{
    struct queue_item items[8];

    (void)unused;
    add_two_rooms();
    run_sql("INSERT INTO pauses (name, paused_ms) VALUES ('t', 5), ('u', NULL)");
    assert_string_equal(claim_keys(&rooms, items, 8), "");
    run_sql("UPDATE pauses SET paused_ms = NULL");
    assert_string_equal(claim_keys(&rooms, items, 8), "1 4 5 6 ");
}

static void without_order_nothing_is_behind(void **unused)
{
    struct queue_item items[8];
    int64_t count;

    (void)unused;
    add(&loose, 1, "a");
    add(&loose, 2, "a");
    assert_string_equal(claim_keys(&loose, items, 8), "1 2 ");
    assert_int_equal(queue_release(&call, &loose, &items[0]), GR_OK);
    assert_int_equal(queue_release(&call, &loose, &items[1]), GR_OK);
    assert_int_equal(queue_repair(&call, &rooms, "t", &count), GR_OK); /* the config was changed */
    assert_int_equal(count, 1);
    assert_string_equal(claim_keys(&rooms, items, 1), "1 ");
    assert_int_equal(queue_repair(&call, &loose, "t", &count), GR_OK); /* and changed back */
    assert_int_equal(count, 1);
    assert_string_equal(claim_keys(&loose, items, 8), "2 ");
}

static void rows_that_lost_the_one_before_them_are_repaired(void **unused)
{
    struct queue_item items[8];
    int64_t count = -1;

    (void)unused;
    add_two_rooms();
    assert_int_equal(queue_repair(&call, &rooms, "t", &count), GR_OK);
    assert_int_equal(count, 0);
    run_sql("DELETE FROM events WHERE seq = 1");
    /* An older release, which does not know the column, adds rows that do not wait for other
     * rows. */
    run_sql("INSERT INTO events (seq, target, room, due_ms) VALUES (7, 't', 'b', 1), "
            "(8, 'u', 'a', 1), (9, 'u', 'a', 1)");
    assert_int_equal(queue_repair(&call, &rooms, "t", &count), GR_OK);
    assert_int_equal(count, 2);
    assert_string_equal(claim_keys(&rooms, items, 8), "2 4 5 6 ");
}

static void rows_that_are_due_again_take_their_place(void **unused)
{
    struct queue_item items[8];

    (void)unused;
    add_two_rooms();
    assert_string_equal(claim_keys(&rooms, items, 1), "1 ");
    assert_int_equal(queue_done(&call, &rooms, &items[0]), GR_OK);
    run_sql("UPDATE events SET due_ms = 77, behind = 0 WHERE seq = 1");
    assert_int_equal(queue_line_up(&call, &rooms, "t", 77), GR_OK);
    assert_int_equal(number("SELECT sum(behind) FROM events"), 2);
    assert_string_equal(claim_keys(&rooms, items, 8), "1 4 5 6 ");
}

/* Fails when the statements that were explained have read more rows than max, or whole tables. The
 * queue's tables have the names q and e in them. */
static void expect_reads(int64_t max, bool sorts)
{
    if (world.rows_read <= max && !sorts && !strstr(world.plan, "SCAN q") &&
        !strstr(world.plan, "SCAN e"))
        return;
    fprintf(stderr, "%s", world.plan);
    fail_msg("%lld rows are read%s", (long long)world.rows_read, sorts ? ", and sorted" : "");
}

/* The first row of each of six rooms waits, and then one of them is due. */
static void claim_among_many(void)
{
    struct queue_item items[4];
    struct queue_item next;
    bool taken = false;

    run_sql("UPDATE events SET due_ms = seq, done_ms = NULL,"
            " behind = CASE WHEN seq > 6 THEN 1 ELSE 0 END WHERE seq < 100");
    run_sql("UPDATE events SET due_ms = 1700000050000 WHERE seq <= 6");
    world.plan = "";
    world.rows_read = 0;
    world.statements = 0;
    world.explains = true;
    assert_string_equal(claim_keys(&rooms, items, 4), "");
    assert_int_equal(world.statements, 1);
    world.explains = false;
    run_sql("UPDATE events SET due_ms = 3 WHERE seq = 3");
    world.statements = 0;
    world.explains = true;
    assert_string_equal(claim_keys(&rooms, items, 4), "3 ");
    assert_int_equal(world.statements, 2);
    assert_int_equal(queue_done_next(&call, &rooms, &items[0], &next, &taken), GR_OK);
    assert_true(taken);
    assert_int_equal(world.statements, 4);
    add(&rooms, next.key.i + 30000, "room-3");
    world.explains = false;
    run_sql("DELETE FROM events WHERE seq > 20000");
    bool sorts = strstr(world.plan, "TEMP") || strstr(world.plan, "Sort Key: q.due_ms");
    expect_reads(60, sorts);
}

static void many_rows_that_wait_cost_a_claim_nothing(void **unused)
{
    (void)unused;
    run_sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO events (seq, target, room, due_ms, behind) SELECT i, 't',"
            " 'room-' || (i % 6), i, 1 FROM n");
    claim_among_many();
    run_sql("ANALYZE events"); /* with what a planner knows then */
    claim_among_many();
}

/* --- the queues of the groups, with their own tables --- */

#define BACKLOG 20000
#define LATER "1700000050000" /* within the waits of every queue */
#define OF_GROUP                                                                                   \
    .key = "id", .order = "came_ms", .columns = "payload", .lease_ms = LEASE_MS,                   \
    .waits_ms = waits_ms, .attempts_max = 4

struct backlog {
    struct queue queue;
    const char *columns; /* of what is put, besides the queue's own */
    const char *values;
};

static const struct backlog backlogs[] = {
    {{OF_GROUP, .table = "minigroups_outbox"}, "kind, audience, label", "'tq', 'a', 'l'"},
    {{OF_GROUP, .table = "mqtt_bridge_inbox"}, "audience, label, agent", "'a', 'l', 'g'"},
    {{OF_GROUP, .table = "minigroups_inbox", .lane = "queue", .in_order = true},
     "audience, source, label, behind, queue",
     "'a', 's', 'l', CASE WHEN i > 1000 THEN 1 ELSE 0 END, 'class-' || (i % 1000)"},
};

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;

    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        count++;
    return count;
}

/* Claims one row, with a look at what is read for it. Returns how many there were. */
static size_t claim_one(const struct queue *queue, struct queue_item *item)
{
    size_t count = 9;

    world.plan = "";
    world.rows_read = 0;
    world.explains = true;
    assert_int_equal(queue_claim(&call, queue, NULL, item, 1, &count), GR_OK);
    if (count)
        assert_int_equal(queue_done(&call, queue, item), GR_OK);
    world.explains = false;
    /* The rows that were due first are sorted, which are not many. */
    expect_reads(1000, count_of(world.plan, "TEMP") > count_of(world.plan, "SCAN due"));
    return count;
}

static void claim_from(const struct queue *queue)
{
    struct queue_item item;

    run_sql(gr_format(&call, "UPDATE %s SET due_ms = came_ms", queue->table));
    int64_t first = number(gr_format(&call, "SELECT min(came_ms) FROM %s", queue->table));
    assert_int_equal(claim_one(queue, &item), 1); /* all are due */
    assert_int_equal(item.order, first);
    run_sql(gr_format(&call, "UPDATE %s SET due_ms = " LATER "%s", queue->table,
                      queue->in_order ? " WHERE behind = 0" : ""));
    assert_int_equal(claim_one(queue, &item), 0); /* none is, or those that are have to wait */
    run_sql(gr_format(&call,
                      "UPDATE %s SET due_ms = 5 WHERE came_ms = (SELECT max(came_ms) FROM %s%s)",
                      queue->table, queue->table, queue->in_order ? " WHERE behind = 0" : ""));
    assert_int_equal(claim_one(queue, &item), 1); /* the last one is */
}

static void what_waits_in_the_queues_of_groups_costs_a_claim_nothing(void **unused)
{
    char *reason = NULL;

    (void)unused;
    assert_int_equal(grc_store_migrate(world.store, "minigroups", mini_migrations,
                                       sizeof(mini_migrations[0]), &reason),
                     GR_OK);
    assert_int_equal(grc_store_migrate(world.store, "mqtt_bridge", mq_migrations,
                                       sizeof(mq_migrations[0]), &reason),
                     GR_OK);
    for (size_t i = 0; i < sizeof(backlogs) / sizeof(backlogs[0]); i++) {
        const struct backlog *backlog = &backlogs[i];

        run_sql(gr_format(&call,
                          "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                          " WHERE i < %d) INSERT INTO %s (id, came_ms, due_ms, payload, %s)"
                          " SELECT 'id-' || i, i, 1, '{}', %s FROM n",
                          BACKLOG, backlog->queue.table, backlog->columns, backlog->values));
        claim_from(&backlog->queue);
        run_sql(gr_format(&call, "ANALYZE %s", backlog->queue.table));
        claim_from(&backlog->queue);
    }
}

#define QUEUE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(rows_come_in_the_order_they_were_put),
        QUEUE_TEST(a_claim_takes_no_more_than_asked_and_only_of_its_lane),
        QUEUE_TEST(a_claimed_row_is_given_to_no_other_until_its_lease_ends),
        QUEUE_TEST(a_lease_that_is_renewed_begins_again_unless_it_was_lost),
        QUEUE_TEST(failures_wait_longer_and_end),
        QUEUE_TEST(a_released_row_is_due_at_once_and_no_attempt),
        QUEUE_TEST(a_released_row_keeps_its_place),
        QUEUE_TEST(gateways_that_were_too_late_do_not_meet_again),
        QUEUE_TEST(in_order_a_lane_waits_for_its_first_row),
        QUEUE_TEST(in_order_a_row_goes_on_when_the_one_before_it_ends_meanwhile),
        QUEUE_TEST(in_order_a_row_of_an_older_release_overtakes_none),
        QUEUE_TEST(in_order_the_rows_of_all_lanes_are_repaired),
        QUEUE_TEST(without_order_a_failed_row_holds_up_no_other),
        QUEUE_TEST(a_clock_set_back_holds_up_no_row_for_long),
        QUEUE_TEST(a_row_can_be_put_and_handled_at_once),
        QUEUE_TEST(settled_rows_can_be_kept),
        QUEUE_TEST(a_row_waits_for_the_earlier_ones_of_its_series),
        QUEUE_TEST(the_end_of_a_row_can_claim_the_next_of_its_series),
        QUEUE_TEST(nothing_of_a_paused_lane_is_claimed),
        QUEUE_TEST(without_order_nothing_is_behind),
        QUEUE_TEST(rows_that_lost_the_one_before_them_are_repaired),
        QUEUE_TEST(rows_that_are_due_again_take_their_place),
        QUEUE_TEST(many_rows_that_wait_cost_a_claim_nothing),
        QUEUE_TEST(what_waits_in_the_queues_of_groups_costs_a_claim_nothing),
    };

    if (argc > 1 && strcmp(argv[1], "postgres") == 0) {
        world.postgres = getenv("GR_TEST_POSTGRES");
        if (!world.postgres)
            return 77; /* skipped */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
