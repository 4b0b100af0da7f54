/*
 * Idempotency-Keys: the header, the states of a record, and the keeper. "test_idempotency postgres"
 * needs GR_TEST_POSTGRES, see support/postgres.sh.
 */
#include "base/clock.h"
#include "base/log.h"
#include "idempotency/keeper.h"
#include "idempotency/kept_answer.h"
#include "idempotency/key.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define HOUR_MS ((int64_t)3600 * 1000)
#define LIMIT_MS 30000

static struct {
    const char *postgres; /* NULL: SQLite */
    char dir[64];
    struct grc_store *store;
    struct grc_arena arena;
} world;

static void run(const char *sql)
{
    assert_int_equal(grc_store_run(world.store, NULL, sql, NULL, 0, NULL, NULL, NULL), GR_OK);
}

static int setup(void **state)
{
    char url[128];
    char *reason = NULL;

    (void)state;
    grc_arena_init(&world.arena, 1u << 20);
    if (!world.postgres) {
        snprintf(world.dir, sizeof(world.dir), "/tmp/greenroom-idempotency.XXXXXX");
        assert_non_null(mkdtemp(world.dir));
        snprintf(url, sizeof(url), "sqlite:%s/test.db", world.dir);
    }
    world.store = grc_store_open(world.postgres ? world.postgres : url, &reason);
    assert_non_null(world.store);
    if (world.postgres) {
        run("DROP SCHEMA public CASCADE");
        run("CREATE SCHEMA public");
    }
    assert_int_equal(grc_records_migrate(world.store, &reason), GR_OK);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    grc_store_close(world.store);
    grc_arena_done(&world.arena);
    if (world.postgres)
        return 0;
    snprintf(command, sizeof(command), "rm -rf '%s'", world.dir);
    return system(command);
}

static struct grc_record_claim claim_of(const char *id, const char *owner, int64_t token)
{
    return (struct grc_record_claim){.id = id,
                                     .fingerprint = "f1",
                                     .owner = owner,
                                     .group = "rooms",
                                     .operation = "rooms.create",
                                     .token = token,
                                     .now_ms = 1000,
                                     .keep_ms = HOUR_MS};
}

/* Claims, and returns whether that was the first claim. */
static bool claims(const struct grc_record_claim *claim, struct grc_record *ret)
{
    bool first = false;

    assert_int_equal(grc_record_claim(world.store, &world.arena, claim, &first, ret), GR_OK);
    return first;
}

static enum grc_record_state state_of(const char *id)
{
    const struct grc_record_claim claim = claim_of(id, "reader", 99);
    struct grc_record record;

    assert_false(claims(&claim, &record));
    return record.answer.state;
}

/* --- the header --- */

static void keys_are_strings_or_bare_words(void **state)
{
    static const struct {
        const char *value;
        const char *key; /* NULL: refused */
    } rows[] = {
        {"\"8e03978e-40d5\"", "8e03978e-40d5"},
        {"8e03978e-40d5", "8e03978e-40d5"},
        {"  \"a b\" ", "a b"},
        {"\"say \\\"hi\\\" \\\\\"", "say \"hi\" \\"},
        {"", NULL},
        {"\"\"", NULL},
        {"\"open", NULL},
        {"\"a\" b", NULL},
        {"\"a\";b=1", NULL},
        {"\"a\\x\"", NULL},
        {"\"a\\", NULL},
        {"a,b", NULL},
        {"a b", NULL},
        {"caf\xc3\xa9", NULL},
        {"\"caf\xc3\xa9\"", NULL},
        {"\"a\tb\"", NULL},
    };
    gr_str key;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        key = (gr_str){NULL, 0};
        const char *wrong = grc_idempotency_key(&world.arena, gr_str_of(rows[i].value), &key);

        if (!rows[i].key && !wrong)
            fail_msg("%s is accepted", rows[i].value);
        if (rows[i].key && (wrong || !gr_str_eq(key, gr_str_of(rows[i].key))))
            fail_msg("%s is read as '%.*s'", rows[i].value, (int)key.len, key.ptr);
    }
}

static void keys_have_a_length(void **state)
{
    char text[GRC_IDEMPOTENCY_KEY_MAX + 4];
    gr_str key;

    (void)state;
    memset(text, 'k', sizeof(text));
    assert_null(grc_idempotency_key(&world.arena, (gr_str){text, GRC_IDEMPOTENCY_KEY_MAX}, &key));
    assert_non_null(
        grc_idempotency_key(&world.arena, (gr_str){text, GRC_IDEMPOTENCY_KEY_MAX + 1}, &key));
    text[0] = text[GRC_IDEMPOTENCY_KEY_MAX + 1] = '"';
    assert_null(
        grc_idempotency_key(&world.arena, (gr_str){text, GRC_IDEMPOTENCY_KEY_MAX + 2}, &key));
    assert_int_equal(key.len, GRC_IDEMPOTENCY_KEY_MAX);
}

/* --- records --- */

static void the_first_claim_opens_a_record(void **state)
{
    struct grc_record_claim claim = claim_of("a", "me", 1);
    struct grc_record record;

    (void)state;
    assert_true(claims(&claim, &record));
    claim.token = 2;
    assert_false(claims(&claim, &record));
    assert_int_equal(record.answer.state, GRC_RECORD_OPEN);
    assert_true(record.same);
    claim.fingerprint = "f2";
    assert_false(claims(&claim, &record));
    assert_false(record.same);
    claim.id = "b";
    assert_true(claims(&claim, &record));
}

static void an_answer_comes_back_as_it_was(void **state)
{
    const struct grc_record_claim claim = claim_of("a", "me", 1);
    const struct grc_record_answer answer = {.state = GRC_RECORD_ANSWERED,
                                             .status = 201,
                                             .content_type = GR_STR("application/json"),
                                             .headers = GR_STR("[\"Location\",\"/rooms/1\"]"),
                                             .body = {"\0{\"id\":\xff", 8}};
    struct grc_record record;

    (void)state;
    assert_true(claims(&claim, &record));
    assert_int_equal(grc_record_answer(world.store, "a", 1, &answer), GR_OK);
    assert_false(claims(&claim, &record));
    assert_int_equal(record.answer.state, GRC_RECORD_ANSWERED);
    assert_int_equal(record.answer.status, 201);
    assert_true(gr_str_eq(record.answer.content_type, answer.content_type));
    assert_true(gr_str_eq(record.answer.headers, answer.headers));
    assert_true(gr_str_eq(record.answer.body, answer.body));
}

static void an_empty_answer_is_kept(void **state)
{
    const struct grc_record_claim claim = claim_of("a", "me", 1);
    const struct grc_record_answer answer = {.state = GRC_RECORD_ANSWERED,
                                             .status = 204,
                                             .content_type = GR_STR(""),
                                             .headers = GR_STR("[]"),
                                             .body = GR_STR("")};
    struct grc_record record;

    (void)state;
    assert_true(claims(&claim, &record));
    assert_int_equal(grc_record_answer(world.store, "a", 1, &answer), GR_OK);
    assert_false(claims(&claim, &record));
    assert_int_equal(record.answer.status, 204);
    assert_int_equal(record.answer.body.len, 0);
}

static void a_released_key_can_be_used_again(void **state)
{
    const struct grc_record_claim claim = claim_of("a", "me", 1);
    struct grc_record record;

    (void)state;
    assert_true(claims(&claim, &record));
    assert_int_equal(grc_record_release(world.store, "a", 1), GR_OK);
    assert_true(claims(&claim, &record));
}

/* The first of two claims ends late. What it writes must not end the second one. */
static void another_claim_ends_no_record(void **state)
{
    const struct grc_record_claim claim = claim_of("a", "me", 1);
    const struct grc_record_answer answer = {.state = GRC_RECORD_ANSWERED, .status = 201};
    struct grc_record record;

    (void)state;
    assert_true(claims(&claim, &record));
    assert_int_equal(grc_record_release(world.store, "a", 2), GR_OK);
    assert_int_equal(grc_record_lose(world.store, "a", 2), GR_OK);
    assert_int_equal(grc_record_answer(world.store, "a", 2, &answer), GR_OK);
    assert_int_equal(state_of("a"), GRC_RECORD_OPEN);
}

static void an_answered_record_stays(void **state)
{
    const struct grc_record_claim claim = claim_of("a", "me", 1);
    const struct grc_record_answer answer = {.state = GRC_RECORD_ANSWERED, .status = 201};
    struct grc_record record;
    int64_t lost = -1;

    (void)state;
    assert_true(claims(&claim, &record));
    assert_int_equal(grc_record_answer(world.store, "a", 1, &answer), GR_OK);
    assert_int_equal(grc_record_release(world.store, "a", 1), GR_OK);
    assert_int_equal(grc_record_lose(world.store, "a", 1), GR_OK);
    assert_int_equal(grc_records_abandon(world.store, "me", &lost), GR_OK);
    assert_int_equal(lost, 0);
    assert_int_equal(state_of("a"), GRC_RECORD_ANSWERED);
}

static void a_lost_record_takes_a_late_answer(void **state)
{
    const struct grc_record_claim claim = claim_of("a", "me", 1);
    const struct grc_record_claim others = claim_of("b", "other", 2);
    const struct grc_record_answer answer = {.state = GRC_RECORD_ANSWERED, .status = 201};
    struct grc_record record;
    int64_t lost = 0;

    (void)state;
    assert_true(claims(&claim, &record));
    assert_true(claims(&others, &record));
    assert_int_equal(grc_records_abandon(world.store, "me", &lost), GR_OK);
    assert_int_equal(lost, 1);
    assert_int_equal(state_of("a"), GRC_RECORD_LOST);
    assert_int_equal(state_of("b"), GRC_RECORD_OPEN);
    assert_int_equal(grc_record_answer(world.store, "a", 1, &answer), GR_OK);
    assert_int_equal(state_of("a"), GRC_RECORD_ANSWERED);
}

static void an_expired_record_gives_way_unless_it_is_open(void **state)
{
    struct grc_record_claim claim = claim_of("a", "me", 1);
    const struct grc_record_answer answer = {.state = GRC_RECORD_ANSWERED, .status = 201};
    struct grc_record record;

    (void)state;
    assert_true(claims(&claim, &record));
    claim.token = 2;
    claim.now_ms += HOUR_MS;
    assert_false(claims(&claim, &record));
    assert_int_equal(grc_record_answer(world.store, "a", 1, &answer), GR_OK);
    claim.now_ms--;
    assert_false(claims(&claim, &record));
    claim.now_ms++;
    assert_true(claims(&claim, &record));
    assert_int_equal(state_of("a"), GRC_RECORD_OPEN);
}

static void cleanup_takes_what_is_over(void **state)
{
    const struct grc_record_claim rows[] = {claim_of("open", "me", 1), claim_of("lost", "me", 2)};
    struct grc_record record;
    int64_t count = 0;

    (void)state;
    assert_true(claims(&rows[0], &record) && claims(&rows[1], &record));
    assert_int_equal(grc_record_lose(world.store, "lost", 2), GR_OK);
    assert_int_equal(grc_records_expire(world.store, HOUR_MS, &count), GR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(grc_records_expire(world.store, HOUR_MS + 1000, &count), GR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(grc_records_count(world.store, "rooms", &count), GR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(grc_records_count(world.store, "polls", &count), GR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(state_of("open"), GRC_RECORD_OPEN);
}

/* --- answers --- */

static void headers_of_the_answer_are_kept(void **state)
{
    struct grc_reply reply = {
        .status = 201,
        .content_type = "text/plain",
        .headers = {{GR_STR("X-Request-Id"), GR_STR("before")},
                    {GR_STR("Location"), GR_STR("/rooms/\"1\", 2")},
                    {GR_STR("retry-after"), GR_STR("3")},
                    {GR_STR("RateLimit-Remaining"), GR_STR("4")},
                    {GR_STR("ETag"), GR_STR("")}},
        .header_count = 5,
        .body = GR_STR("made"),
    };
    struct grc_call call = {.reply = &reply};
    struct grc_record_answer kept;

    (void)state;
    grc_arena_init(&call.arena, 65536);
    grc_kept_answer_of(&call, 1, 1000, &kept);
    assert_int_equal(kept.state, GRC_RECORD_ANSWERED);
    assert_true(
        gr_str_eq(kept.headers, GR_STR("[\"Location\",\"/rooms/\\\"1\\\", 2\",\"ETag\",\"\"]")));
    reply = (struct grc_reply){.status = 0};
    assert_true(grc_kept_answer_give(&call, &kept));
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply.content_type, "text/plain");
    assert_true(gr_str_eq(reply.body, GR_STR("made")));
    assert_int_equal(reply.header_count, 3);
    assert_true(gr_str_eq(reply.headers[0].value, GR_STR("/rooms/\"1\", 2")));
    assert_true(gr_str_eq(reply.headers[2].name, GR_STR("Idempotent-Replayed")));
    grc_arena_done(&call.arena);
}

static void an_answer_over_the_limit_leaves_its_status(void **state)
{
    struct grc_reply reply = {.status = 200, .body = GR_STR("12345678")};
    struct grc_call call = {.reply = &reply};
    struct grc_record_answer kept;

    (void)state;
    grc_arena_init(&call.arena, 65536);
    grc_kept_answer_of(&call, 0, 10, &kept);
    assert_int_equal(kept.state, GRC_RECORD_ANSWERED);
    grc_kept_answer_of(&call, 0, 9, &kept);
    assert_int_equal(kept.state, GRC_RECORD_LARGE);
    assert_int_equal(kept.status, 200);
    assert_int_equal(kept.body.len, 0);
    grc_arena_done(&call.arena);
}

/* --- several requests with the same key --- */

#define RIVALS 8

static _Atomic int winners;

static void *compete(void *arg)
{
    const struct grc_record_claim claim = claim_of("a", "me", (int64_t)(intptr_t)arg);
    struct grc_arena arena;
    struct grc_record record;
    bool first = false;

    grc_arena_init(&arena, 65536);
    if (grc_record_claim(world.store, &arena, &claim, &first, &record) == GR_OK && first)
        atomic_fetch_add(&winners, 1);
    grc_arena_done(&arena);
    return NULL;
}

static void of_rival_claims_one_is_first(void **state)
{
    pthread_t threads[RIVALS];

    (void)state;
    atomic_store(&winners, 0);
    for (intptr_t i = 0; i < RIVALS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, compete, (void *)(i + 1)), 0);
    for (size_t i = 0; i < RIVALS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&winners), 1);
}

/* --- the keeper --- */

static const char *const groups[] = {"rooms", NULL};

static void wait_for(const char *id, enum grc_record_state wanted)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    int64_t end_ms = grc_mono_ms() + LIMIT_MS;

    while (state_of(id) != wanted) {
        if (grc_mono_ms() > end_ms)
            fail_msg("record %s is not in state %d in time", id, (int)wanted);
        nanosleep(&pause, NULL);
    }
}

/* One owner has ended. The other one has worked on its request for the same time. */
static void the_requests_of_a_gateway_that_is_gone_are_lost(void **state)
{
    struct grc_keeper *busy = grc_keeper_new(world.store, groups);
    struct grc_keeper *watch = grc_keeper_new(world.store, groups);
    const struct grc_record_claim gone = claim_of("gone", "nowhere", 1);
    struct grc_record record;

    (void)state;
    assert_non_null(busy);
    assert_non_null(watch);
    grc_keeper_begin(busy, "rooms");
    const struct grc_record_claim served = claim_of("served", grc_keeper_owner(busy), 2);
    assert_true(claims(&served, &record));
    assert_true(claims(&gone, &record));
    wait_for("gone", GRC_RECORD_LOST);
    assert_int_equal(state_of("served"), GRC_RECORD_OPEN);
    grc_keeper_end(busy);
    grc_keeper_free(watch);
    grc_keeper_free(busy);
    assert_int_equal(state_of("served"), GRC_RECORD_LOST);
}

static void records_are_ended_later(void **state)
{
    struct grc_keeper *keeper = grc_keeper_new(world.store, groups);
    struct grc_record_claim claim = claim_of("lose", "me", 1);
    struct grc_record record;

    (void)state;
    assert_non_null(keeper);
    claim.now_ms = grc_now_ms(); /* otherwise the keeper, which knows the time, would remove it */
    assert_true(claims(&claim, &record));
    claim = claim_of("release", "me", 2);
    claim.now_ms = grc_now_ms();
    assert_true(claims(&claim, &record));
    const struct grc_record_claim answered = claim_of("answer", "me", 3);
    struct grc_record_claim now = answered;
    now.now_ms = grc_now_ms();
    assert_true(claims(&now, &record));
    /* Another gateway has given the record up meanwhile. The outcome is known nevertheless. */
    assert_int_equal(grc_record_lose(world.store, "answer", 3), GR_OK);
    {
        char body[] = "the first answer"; /* copied */
        const struct grc_record_answer answer = {.state = GRC_RECORD_ANSWERED,
                                                 .status = 201,
                                                 .content_type = GR_STR("text/plain"),
                                                 .headers = GR_STR("[]"),
                                                 .body = gr_str_of(body)};

        grc_keeper_end_later(keeper, GRC_LATER_ANSWER, "answer", 3, &answer);
        memset(body, 'x', sizeof(body) - 1);
    }
    grc_keeper_end_later(keeper, GRC_LATER_LOSE, "lose", 1, NULL);
    grc_keeper_end_later(keeper, GRC_LATER_RELEASE, "release", 2, NULL);
    grc_keeper_free(keeper); /* ends what is left */
    assert_int_equal(state_of("lose"), GRC_RECORD_LOST);
    assert_true(claims(&claim, &record));
    assert_false(claims(&now, &record));
    assert_int_equal(record.answer.state, GRC_RECORD_ANSWERED);
    assert_int_equal(record.answer.status, 201);
    assert_true(gr_str_eq(record.answer.body, GR_STR("the first answer")));
}

static void answers_that_wait_take_a_limited_room(void **state)
{
    static char body[1024 * 1024];
    const struct grc_record_answer large = {.state = GRC_RECORD_ANSWERED,
                                            .status = 200,
                                            .content_type = GR_STR("text/plain"),
                                            .headers = GR_STR("[]"),
                                            .body = {body, sizeof(body)}};
    struct grc_later_list list = {.count = 0};
    struct grc_later later;
    int answers = 0;
    int count = 0;

    (void)state;
    assert_true(grc_later_init(&list));
    while (grc_later_add(&list, GRC_LATER_ANSWER, "id", count, &large))
        count++;
    assert_int_equal(count, 4096);
    while (grc_later_take(&list, &later)) {
        answers += later.end == GRC_LATER_ANSWER;
        assert_true(later.end == GRC_LATER_ANSWER || later.end == GRC_LATER_LOSE);
        assert_int_equal(later.token, --count);
        grc_later_release(&later);
    }
    assert_int_equal(answers, 15);
    assert_int_equal(list.bytes, 0);
    grc_later_done(&list);
}

static void the_keeper_counts_the_records_of_a_group(void **state)
{
    const struct grc_record_claim claim = claim_of("a", "me", 1);
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    int64_t end_ms = grc_mono_ms() + LIMIT_MS;
    struct grc_record record;

    (void)state;
    assert_true(claims(&claim, &record));
    struct grc_keeper *keeper = grc_keeper_new(world.store, groups);
    assert_non_null(keeper);
    while (grc_keeper_count(keeper, "rooms") != 1 && grc_mono_ms() < end_ms)
        nanosleep(&pause, NULL);
    grc_keeper_begin(keeper, "rooms");
    grc_keeper_begin(keeper, "polls");
    assert_int_equal(grc_keeper_count(keeper, "rooms"), 2);
    assert_int_equal(grc_keeper_count(keeper, "polls"), 0);
    grc_keeper_claimed(keeper, "rooms", false);
    assert_int_equal(grc_keeper_count(keeper, "rooms"), 1);
    grc_keeper_free(keeper);
}

/* The keeper first waits for this transaction, so it looks for records after the request has
 * begun. */
static enum gr_err begin_before_the_first_look(struct grc_store_session *session, void *arg)
{
    static const char *const two_groups[] = {"rooms", "templates", NULL};
    struct grc_keeper **keeper = arg;
    enum gr_err err = GR_OK;

    if (world.postgres)
        err = grc_store_run(world.store, session,
                            "LOCK TABLE greenroom_idempotency IN EXCLUSIVE MODE", NULL, 0, NULL,
                            NULL, NULL);
    *keeper = grc_keeper_new(world.store, two_groups);
    assert_non_null(*keeper);
    grc_keeper_begin(*keeper, "rooms");
    return err;
}

static void a_request_that_the_store_has_not_answered_stays_counted(void **state)
{
    struct grc_record_claim claim = claim_of("a", "me", 1);
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    int64_t end_ms = grc_mono_ms() + LIMIT_MS;
    struct grc_record record;
    struct grc_keeper *keeper = NULL;

    (void)state;
    claim.group = "templates";
    claim.now_ms = grc_now_ms(); /* otherwise the record would expire immediately */
    assert_true(claims(&claim, &record));
    assert_int_equal(grc_store_tx(world.store, begin_before_the_first_look, &keeper), GR_OK);
    /* counted after "rooms" */
    while (grc_keeper_count(keeper, "templates") != 1 && grc_mono_ms() < end_ms)
        nanosleep(&pause, NULL);
    assert_int_equal(grc_keeper_count(keeper, "templates"), 1);
    assert_int_equal(grc_keeper_count(keeper, "rooms"), 1);
    grc_keeper_free(keeper);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_strings_or_bare_words),
        TEST(keys_have_a_length),
        TEST(the_first_claim_opens_a_record),
        TEST(an_answer_comes_back_as_it_was),
        TEST(an_empty_answer_is_kept),
        TEST(a_released_key_can_be_used_again),
        TEST(another_claim_ends_no_record),
        TEST(an_answered_record_stays),
        TEST(a_lost_record_takes_a_late_answer),
        TEST(an_expired_record_gives_way_unless_it_is_open),
        TEST(cleanup_takes_what_is_over),
        TEST(headers_of_the_answer_are_kept),
        TEST(an_answer_over_the_limit_leaves_its_status),
        TEST(of_rival_claims_one_is_first),
        TEST(the_requests_of_a_gateway_that_is_gone_are_lost),
        TEST(records_are_ended_later),
        TEST(answers_that_wait_take_a_limited_room),
        TEST(the_keeper_counts_the_records_of_a_group),
        TEST(a_request_that_the_store_has_not_answered_stays_counted),
    };

    grc_log_level_set(GR_LOG_ERROR);
    if (argc > 1 && strcmp(argv[1], "postgres") == 0) {
        world.postgres = getenv("GR_TEST_POSTGRES");
        if (!world.postgres)
            return 77; /* skipped */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
