/*
 * The durable queue of plugins: order, leases, waits, clocks. "test_queue" runs on SQLite;
 * "test_queue postgres" needs GR_TEST_POSTGRES, see support/postgres.sh.
 */
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
    int64_t now_ms;
    unsigned ids;
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

static int64_t host_now_ms(void)
{
    return world.now_ms;
}

/* Ids fall, so that only the queue's own order can put rows in the order they came. */
static void host_uuid(char ret_text[37])
{
    (void)snprintf(ret_text, 37, "%036u", 1000000u - world.ids++);
}

static enum gr_err host_store_run(struct gr_call *call, const char *sql,
                                  const struct gr_value *params, size_t count, gr_row_fn *each,
                                  void *arg, int64_t *ret_changed)
{
    (void)call;
    return grc_store_run(world.store, NULL, sql, params, count, each, arg, ret_changed);
}

static const struct gr_host host = {
    .alloc = host_alloc,
    .vformat = host_vformat,
    .now_ms = host_now_ms,
    .uuid = host_uuid,
    .store_run = host_store_run,
};
static struct gr_call call = {.host = &host};

/* --- the queues --- */

static const struct gr_migration schema[] = {
    {.version = 1,
     .name = "queues",
     .sql = "CREATE TABLE jobs (id TEXT NOT NULL PRIMARY KEY, came_ms BIGINT NOT NULL,"
            " class TEXT NOT NULL, word TEXT NOT NULL, amount BIGINT,"
            " attempts BIGINT NOT NULL DEFAULT 0, due_ms BIGINT NOT NULL);"
            "CREATE TABLE kept (seq BIGINT NOT NULL, target TEXT NOT NULL,"
            " attempts BIGINT NOT NULL DEFAULT 0, due_ms BIGINT, done_ms BIGINT,"
            " PRIMARY KEY (seq, target))"},
    GR_END,
};

static const int64_t waits_ms[] = {1000, 5000};
#define LEASE_MS 60000
#define JOBS                                                                                       \
    .table = "jobs", .key = "id", .order = "came_ms", .columns = "word, amount",                   \
    .lease_ms = LEASE_MS, .waits_ms = waits_ms, .wait_count = 2, .attempts_max = 4

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
                                  .wait_count = 2,
                                  .attempts_max = 2};

static int setup(void **state)
{
    char *reason = NULL;

    (void)state;
    world.now_ms = 1700000000000;
    world.ids = 0;
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
    assert_int_equal(number("SELECT count(*) FROM jobs WHERE attempts = 0"), 1);
    assert_int_equal(queue_done(&call, &plain, &second), GR_OK);
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

#define QUEUE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(rows_come_in_the_order_they_were_put),
        QUEUE_TEST(a_claim_takes_no_more_than_asked_and_only_of_its_lane),
        QUEUE_TEST(a_claimed_row_is_given_to_no_other_until_its_lease_ends),
        QUEUE_TEST(failures_wait_longer_and_end),
        QUEUE_TEST(a_released_row_is_due_at_once_and_no_attempt),
        QUEUE_TEST(in_order_a_lane_waits_for_its_first_row),
        QUEUE_TEST(without_order_a_failed_row_holds_up_no_other),
        QUEUE_TEST(a_clock_set_back_holds_up_no_row_for_long),
        QUEUE_TEST(a_row_can_be_put_and_handled_at_once),
        QUEUE_TEST(settled_rows_can_be_kept),
    };

    if (argc > 1 && strcmp(argv[1], "postgres") == 0) {
        world.postgres = getenv("GR_TEST_POSTGRES");
        if (!world.postgres)
            return 77; /* skipped */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
