/* The cache: which answers are found, for how long, and which are removed. The tests set the
 * time. */
#include "upstream/cache.h"

#include "upstream/headers.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEED 42u

static const int upstream_a;
static const int upstream_b;

struct bed {
    struct grc_cache *cache;
    struct grc_arena arena;
};

static int bed_begin(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));

    if (!bed)
        return -1;
    bed->cache = grc_cache_new((size_t)1 << 20);
    grc_arena_init(&bed->arena, (size_t)1 << 20);
    *state = bed;
    return bed->cache ? 0 : -1;
}

static int bed_end(void **state)
{
    struct bed *bed = *state;

    grc_arena_done(&bed->arena);
    grc_cache_free(bed->cache);
    free(bed);
    return 0;
}

static struct grc_exchange get(const char *target)
{
    return (struct grc_exchange){.method = GR_METHOD_GET,
                                 .target = gr_str_of(target),
                                 .cache = {.ttl_ms = 2000},
                                 .status = 200,
                                 .answer_type = GR_STR("application/json"),
                                 .answer = GR_STR("{\"a\":1}"),
                                 .freshness = {.max_age_s = -1}};
}

static void put(struct bed *bed, const struct grc_exchange *exchange, int64_t now_ms)
{
    struct grc_cache_key key = grc_cache_key(exchange, &upstream_a, SEED);
    struct grc_answer *answer = grc_answer_new(exchange);

    const struct grc_cache_life life = {.ttl_ms = grc_cache_ttl_ms(exchange),
                                        .age_s = exchange->freshness.age_s,
                                        .no_stale = exchange->freshness.no_stale};

    assert_non_null(answer);
    grc_cache_put(bed->cache, &key, grc_cache_mark(bed->cache, &key), answer, now_ms, &life);
    grc_answer_unref(answer);
}

/* The age of the entry found; -1: none. */
static int64_t found(struct bed *bed, const struct grc_exchange *exchange, const void *upstream,
                     int64_t now_ms)
{
    struct grc_cache_key key = grc_cache_key(exchange, upstream, SEED);
    struct grc_cache_found found;
    struct grc_answer *answer = grc_cache_get(bed->cache, &key, &exchange->cache, now_ms, &found);

    if (!answer)
        return -1;
    assert_true(gr_str_eq(answer->body, exchange->answer));
    grc_answer_unref(answer);
    return found.age_s;
}

static void an_answer_is_found_until_its_time_is_over(void **state)
{
    struct bed *bed = *state;
    const struct grc_exchange exchange = get("/rooms/1");

    assert_int_equal(found(bed, &exchange, &upstream_a, 1000), -1);
    put(bed, &exchange, 1000);
    assert_int_equal(found(bed, &exchange, &upstream_a, 1000), 0);
    assert_int_equal(found(bed, &exchange, &upstream_a, 2999), 1);
    assert_int_equal(found(bed, &exchange, &upstream_a, 3000), -1);
    assert_int_equal(grc_cache_bytes(bed->cache), 0); /* stale entries are released */
}

static void only_the_same_question_finds_it(void **state)
{
    struct bed *bed = *state;
    struct grc_exchange exchange = get("/rooms?limit=10");

    exchange.partition = GR_STR("ada");
    put(bed, &exchange, 0);
    assert_int_equal(found(bed, &exchange, &upstream_a, 1), 0);
    assert_int_equal(found(bed, &exchange, &upstream_b, 1), -1);
    struct grc_exchange other = exchange;
    other.target = GR_STR("/rooms?limit=11");
    assert_int_equal(found(bed, &other, &upstream_a, 1), -1);
    other.target = GR_STR("/rooms");
    assert_int_equal(found(bed, &other, &upstream_a, 1), -1);
    other = exchange;
    other.partition = GR_STR("bob");
    assert_int_equal(found(bed, &other, &upstream_a, 1), -1);
    /* the same text, divided in another way, is another key */
    other.target = GR_STR("/rooms?limit=10a");
    other.partition = GR_STR("da");
    assert_int_equal(found(bed, &other, &upstream_a, 1), -1);
    other = exchange;
    other.no_credential = true;
    assert_int_equal(found(bed, &other, &upstream_a, 1), -1);
}

static void a_write_drops_its_path_and_those_above(void **state)
{
    struct bed *bed = *state;
    const struct grc_exchange list = get("/rooms?limit=10");
    const struct grc_exchange one = get("/rooms/1");
    const struct grc_exchange two = get("/rooms/2?x=y");

    put(bed, &list, 0);
    put(bed, &one, 0);
    put(bed, &two, 0);
    grc_cache_wrote(bed->cache, &upstream_a, GR_STR("/rooms/1/enabled?now=1"));
    assert_int_equal(found(bed, &list, &upstream_a, 1), -1);
    assert_int_equal(found(bed, &one, &upstream_a, 1), -1);
    assert_int_equal(found(bed, &two, &upstream_a, 1), 0);
    grc_cache_wrote(bed->cache, &upstream_a, GR_STR("/rooms/2"));
    assert_int_equal(found(bed, &two, &upstream_a, 1), -1);
}

static void what_was_read_before_a_write_is_not_kept(void **state)
{
    struct bed *bed = *state;
    const struct grc_exchange exchange = get("/rooms/1");
    struct grc_cache_key key = grc_cache_key(&exchange, &upstream_a, SEED);
    uint32_t mark = grc_cache_mark(bed->cache, &key);
    struct grc_answer *answer = grc_answer_new(&exchange);
    const struct grc_cache_life life = {.ttl_ms = 2000};

    grc_cache_wrote(bed->cache, &upstream_a, GR_STR("/rooms/1"));
    assert_false(grc_cache_put(bed->cache, &key, mark, answer, 0, &life));
    grc_answer_unref(answer);
    assert_int_equal(found(bed, &exchange, &upstream_a, 1), -1);
}

static void the_bound_holds_and_the_unused_go_first(void **state)
{
    struct bed *bed = *state;
    char target[32];
    char *large = calloc(1, 20000);

    assert_non_null(large);
    memset(large, 'x', 19999);
    struct grc_exchange often = get("/often");
    put(bed, &often, 0);
    for (int i = 0; i < 200; i++) {
        snprintf(target, sizeof(target), "/rooms/%d", i);
        struct grc_exchange exchange = get(target);
        exchange.answer = gr_str_of(large);
        put(bed, &exchange, 0);
        assert_in_range(grc_cache_bytes(bed->cache), 1, (size_t)1 << 20);
        assert_int_equal(found(bed, &often, &upstream_a, 1), 0);
        assert_int_equal(found(bed, &exchange, &upstream_a, 1), 0);
    }
    struct grc_exchange first = get("/rooms/0");
    first.answer = gr_str_of(large);
    assert_int_equal(found(bed, &first, &upstream_a, 1), -1);
    free(large);
}

static void what_is_too_large_is_not_kept(void **state)
{
    struct bed *bed = *state;
    char *large = calloc(1, 200000);

    assert_non_null(large);
    memset(large, 'x', 199999);
    struct grc_exchange exchange = get("/large");
    exchange.answer = gr_str_of(large);
    put(bed, &exchange, 0);
    assert_int_equal(grc_cache_bytes(bed->cache), 0);
    free(large);
}

static void an_answer_outlives_its_place(void **state)
{
    struct bed *bed = *state;
    const struct grc_exchange exchange = get("/rooms/1");
    struct grc_cache_key key = grc_cache_key(&exchange, &upstream_a, SEED);
    struct grc_exchange reader = {.arena = &bed->arena};
    struct grc_cache_found kept;

    put(bed, &exchange, 0);
    grc_answer_give(grc_cache_get(bed->cache, &key, &exchange.cache, 1, &kept), &reader, false);
    assert_int_equal(found(bed, &exchange, &upstream_a, 9000), -1);
    assert_int_equal(reader.err, GR_OK);
    assert_int_equal(reader.status, 200);
    assert_true(gr_str_eq(reader.answer, GR_STR("{\"a\":1}")));
    assert_string_equal(reader.answer.ptr, "{\"a\":1}");
}

/* --- what may be kept --- */

static int64_t ttl_with(const char *name, const char *value)
{
    struct grc_exchange exchange = get("/x");
    const struct gr_pair pair = {gr_str_of(name), gr_str_of(value)};

    grc_header_freshness(&pair, &exchange.freshness);
    return grc_cache_ttl_ms(&exchange);
}

static void an_upstream_may_forbid_it(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        int64_t ttl_ms;
    } cases[] = {
        {"Cache-Control", "no-store", 0},
        {"cache-control", "max-age=60, NO-STORE", 0},
        {"Cache-Control", "private", 0},
        {"Cache-Control", "private=\"x\"", 0},
        {"Cache-Control", "no-cache", 0},
        {"Cache-Control", "max-age=0", 0},
        {"Cache-Control", "max-age=oops", 0},
        {"Cache-Control", "max-age=", 0},
        {"Cache-Control", " max-age=1 ", 1000},
        {"Cache-Control", "max-age=\"1\"", 1000},
        {"Cache-Control", "max-age=99999999999999999999", 2000},
        {"Cache-Control", "max-age=60, s-maxage=0", 0},
        {"Cache-Control", "s-maxage=60, max-age=0", 2000},
        {"Cache-Control", "public", 2000},
        {"Cache-Control", "", 2000},
        {"Cache-Control", ",,no-storage,", 2000},
        {"Vary", "*", 0},
        {"Vary", "Accept", 2000},
        {"Set-Cookie", "a=b", 0},
        {"ETag", "\"no-store\"", 2000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ttl_ms = ttl_with(cases[i].name, cases[i].value);
        if (ttl_ms != cases[i].ttl_ms)
            fail_msg("%s: %s: %lld", cases[i].name, cases[i].value, (long long)ttl_ms);
    }
}

static void an_old_answer_has_less_time_left(void **state)
{
    struct grc_exchange exchange = get("/x");
    const struct gr_pair age = {GR_STR("Age"), GR_STR("9")};
    const struct gr_pair control = {GR_STR("Cache-Control"), GR_STR("max-age=10")};

    (void)state;
    grc_header_freshness(&age, &exchange.freshness);
    grc_header_freshness(&control, &exchange.freshness);
    assert_int_equal(grc_cache_ttl_ms(&exchange), 1000);
}

static void only_a_200_with_json_is_kept(void **state)
{
    static const struct {
        const char *type;
        bool kept;
    } types[] = {
        {"application/json", true},         {"Application/JSON; charset=utf-8", true},
        {"application/problem+json", true}, {"text/html", false},
        {"application/jsonp", false},       {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct grc_exchange exchange = get("/x");
        exchange.answer_type = gr_str_of(types[i].type);
        assert_int_equal(grc_cache_ttl_ms(&exchange) > 0, types[i].kept);
    }
    struct grc_exchange exchange = get("/x");
    exchange.status = 404;
    assert_int_equal(grc_cache_ttl_ms(&exchange), 0);
    exchange.status = 200;
    exchange.err = GR_ERR_UPSTREAM_BROKEN;
    assert_int_equal(grc_cache_ttl_ms(&exchange), 0);
}

static void only_a_plain_get_is_looked_up(void **state)
{
    const struct gr_pair header = {GR_STR("X-Tenant"), GR_STR("t")};
    struct grc_exchange exchange = get("/x");

    (void)state;
    assert_true(grc_cache_fits(&exchange));
    exchange.cache.ttl_ms = 0;
    assert_false(grc_cache_fits(&exchange));
    exchange = get("/x");
    exchange.method = GR_METHOD_POST;
    assert_false(grc_cache_fits(&exchange));
    exchange = get("/x");
    exchange.has_body = true;
    assert_false(grc_cache_fits(&exchange));
    exchange = get("/x");
    exchange.bearer = "t";
    assert_false(grc_cache_fits(&exchange));
    exchange = get("/x");
    exchange.headers = &header;
    exchange.header_count = 1;
    assert_false(grc_cache_fits(&exchange));
}

/* The state of what grc_cache_get() gives: 'h'it, 's'tale, 'm'iss; upper case: with an answer.
 */
static char state_at(struct bed *bed, const struct grc_exchange *exchange, int64_t now_ms,
                     int64_t *ret_fresh_s)
{
    static const char letters[] = {[GRC_CACHE_MISS] = 'm', [GRC_CACHE_STALE] = 's'};
    struct grc_cache_key key = grc_cache_key(exchange, &upstream_a, SEED);
    struct grc_cache_found kept;
    struct grc_answer *answer = grc_cache_get(bed->cache, &key, &exchange->cache, now_ms, &kept);

    if (ret_fresh_s)
        *ret_fresh_s = kept.fresh_s;
    if (answer)
        assert_int_equal(kept.state, GRC_CACHE_HIT);
    grc_answer_unref(answer);
    return answer ? 'H' : letters[kept.state];
}

static void one_call_fetches_a_late_answer_and_the_others_get_it(void **state)
{
    struct grc_exchange exchange = get("/rooms/1");
    int64_t fresh_s = 0;

    exchange.cache.stale_while_revalidate_ms = 30000;
    put(*state, &exchange, 0);
    assert_int_equal(state_at(*state, &exchange, 500, &fresh_s), 'H');
    assert_int_equal(fresh_s, 1);
    assert_int_equal(state_at(*state, &exchange, 2000, NULL), 's');
    assert_int_equal(state_at(*state, &exchange, 2000, &fresh_s), 'H');
    assert_int_equal(fresh_s, -1);
    assert_int_equal(state_at(*state, &exchange, 11999, &fresh_s), 'H');
    assert_int_equal(fresh_s, -9);
    /* The call that fetches the answer takes too long, so another call may fetch it. */
    assert_int_equal(state_at(*state, &exchange, 12000, NULL), 's');
    assert_int_equal(state_at(*state, &exchange, 12001, NULL), 'H');
    assert_int_equal(state_at(*state, &exchange, 32000, NULL), 'm');
}

static struct grc_answer *late(struct bed *bed, const struct grc_exchange *exchange, int64_t now_ms)
{
    struct grc_cache_key key = grc_cache_key(exchange, &upstream_a, SEED);
    struct grc_cache_found kept;

    return grc_cache_get_stale(bed->cache, &key, &exchange->cache, now_ms, &kept);
}

static void a_late_answer_serves_for_one_that_failed(void **state)
{
    struct grc_exchange exchange = get("/rooms/1");
    struct bed *bed = *state;

    exchange.cache.stale_if_error_ms = 10000;
    assert_null(late(bed, &exchange, 0));
    put(bed, &exchange, 0);
    /* The old answer is not served while the upstream may still answer. */
    assert_int_equal(state_at(bed, &exchange, 2000, NULL), 's');
    assert_int_equal(state_at(bed, &exchange, 2001, NULL), 's');
    struct grc_answer *answer = late(bed, &exchange, 11999);
    assert_non_null(answer);
    grc_answer_unref(answer);
    assert_null(late(bed, &exchange, 12000));
    /* After a write through this gateway the answer is wrong, and not only old. */
    put(bed, &exchange, 0);
    grc_cache_wrote(bed->cache, &upstream_a, GR_STR("/rooms/1"));
    assert_null(late(bed, &exchange, 2000));
    /* The upstream may forbid that old answers are served. */
    exchange.freshness.no_stale = true;
    exchange.cache.stale_while_revalidate_ms = 10000;
    put(bed, &exchange, 0);
    assert_int_equal(state_at(bed, &exchange, 1999, NULL), 'H');
    assert_null(late(bed, &exchange, 2000));
    assert_int_equal(state_at(bed, &exchange, 2000, NULL), 'm');
}

/* Keeps an answer with a generation, and returns the moment until which it need not be checked when
 * it is found; -1: it is not. */
static int64_t checked(struct bed *bed, const struct grc_exchange *exchange, int64_t now_ms)
{
    struct grc_cache_key key = grc_cache_key(exchange, &upstream_a, SEED);
    struct grc_cache_found kept;
    struct grc_answer *answer = grc_cache_get(bed->cache, &key, &exchange->cache, now_ms, &kept);

    if (!answer)
        return -1;
    grc_answer_unref(answer);
    return kept.checked_ms;
}

static void only_one_generation_is_kept(void **state)
{
    struct bed *bed = *state;
    const struct grc_exchange exchange = get("/rooms/1");
    struct grc_cache_key key = grc_cache_key(&exchange, &upstream_a, SEED);
    struct grc_cache_life life = {.ttl_ms = 2000, .generation = 7, .checked_ms = 100};
    struct grc_answer *answer = grc_answer_new(&exchange);

    assert_true(
        grc_cache_put(bed->cache, &key, grc_cache_mark(bed->cache, &key), answer, 0, &life));
    assert_int_equal(checked(bed, &exchange, 1), 100);
    grc_cache_check(bed->cache, &key, 7, 300);
    assert_int_equal(checked(bed, &exchange, 200), 300);
    grc_cache_check(bed->cache, &key, 8, 500);
    assert_int_equal(checked(bed, &exchange, 200), -1);
    assert_int_equal(grc_cache_bytes(bed->cache), 0);
    /* An answer that only this gateway keeps has no generation. */
    put(bed, &exchange, 0);
    grc_cache_check(bed->cache, &key, 8, 500);
    assert_int_equal(checked(bed, &exchange, 200), -1);
    grc_answer_unref(answer);
}

static void a_late_answer_from_the_shared_cache_is_kept_late(void **state)
{
    struct bed *bed = *state;
    struct grc_exchange exchange = get("/rooms/1");
    struct grc_cache_key key = grc_cache_key(&exchange, &upstream_a, SEED);
    struct grc_cache_life life = {.ttl_ms = -500, .age_s = 3, .generation = 7};
    struct grc_answer *answer = grc_answer_new(&exchange);
    struct grc_cache_found kept;
    uint32_t mark = grc_cache_mark(bed->cache, &key);

    exchange.cache.stale_if_error_ms = 1000;
    assert_true(grc_cache_put(bed->cache, &key, mark, answer, 0, &life));
    assert_null(grc_cache_get(bed->cache, &key, &exchange.cache, 1, &kept));
    struct grc_answer *late = grc_cache_get_stale(bed->cache, &key, &exchange.cache, 499, &kept);
    assert_non_null(late);
    assert_int_equal(kept.age_s, 3);
    assert_int_equal(kept.fresh_s, -1);
    grc_answer_unref(late);
    assert_null(grc_cache_get_stale(bed->cache, &key, &exchange.cache, 500, &kept));
    life.no_stale = true;
    assert_false(grc_cache_put(bed->cache, &key, mark, answer, 0, &life));
    grc_answer_unref(answer);
}

int main(void)
{
#define WITH_BED(name) cmocka_unit_test_setup_teardown(name, bed_begin, bed_end)
    const struct CMUnitTest tests[] = {
        WITH_BED(an_answer_is_found_until_its_time_is_over),
        WITH_BED(only_the_same_question_finds_it),
        WITH_BED(a_write_drops_its_path_and_those_above),
        WITH_BED(what_was_read_before_a_write_is_not_kept),
        WITH_BED(the_bound_holds_and_the_unused_go_first),
        WITH_BED(what_is_too_large_is_not_kept),
        WITH_BED(an_answer_outlives_its_place),
        WITH_BED(one_call_fetches_a_late_answer_and_the_others_get_it),
        WITH_BED(a_late_answer_serves_for_one_that_failed),
        WITH_BED(only_one_generation_is_kept),
        WITH_BED(a_late_answer_from_the_shared_cache_is_kept_late),
        cmocka_unit_test(an_upstream_may_forbid_it),
        cmocka_unit_test(an_old_answer_has_less_time_left),
        cmocka_unit_test(only_a_200_with_json_is_kept),
        cmocka_unit_test(only_a_plain_get_is_looked_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
