/* Calls that wait for the answer of an equal call: which calls do, what they get, and when they
 * stop waiting. */
#include "upstream/singleflight.h"

#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define FOLLOWERS 8

static const int upstream_a;
static const int upstream_b;

static int shares_begin(void **state)
{
    *state = grc_singleflights_new();
    return *state ? 0 : -1;
}

static int shares_end(void **state)
{
    grc_singleflights_free(*state);
    return 0;
}

static struct grc_exchange get(const char *target)
{
    return (struct grc_exchange){.method = GR_METHOD_GET, .target = gr_str_of(target)};
}

static struct grc_singleflight_key key_of(const struct grc_exchange *exchange, const void *upstream)
{
    return (struct grc_singleflight_key){.exchange = exchange,
                                         .upstream = upstream,
                                         .hash = grc_singleflight_hash(exchange, upstream, 7)};
}

/* Ends a share for which no call waits. */
static void drop(struct grc_singleflights *shares, struct grc_singleflight *share)
{
    assert_false(grc_singleflight_close(shares, share));
    grc_singleflight_publish(share, NULL);
}

/* --- which calls are equal --- */

/* Returns whether a call with the key `other` would wait for a call with the key `one`. */
static bool joins_at(struct grc_singleflights *shares, const struct grc_singleflight_key *one,
                     const struct grc_singleflight_key *other)
{
    struct grc_exchange waiting = *other->exchange;
    bool leads = false;
    bool second = false;

    struct grc_singleflight *share = grc_singleflight_enter(shares, one, &leads);
    assert_true(share && leads);
    struct grc_singleflight *joined = grc_singleflight_enter(shares, other, &second);
    assert_non_null(joined);
    if (second) {
        drop(shares, joined);
        drop(shares, share);
        return false;
    }
    assert_ptr_equal(joined, share);
    assert_int_equal(grc_singleflight_wait(joined, &waiting, grc_mono_ms()), GRC_SINGLEFLIGHT_LATE);
    drop(shares, share);
    return true;
}

static bool joins(struct grc_singleflights *shares, const struct grc_exchange *one,
                  const struct grc_exchange *other)
{
    struct grc_singleflight_key a = key_of(one, &upstream_a);
    struct grc_singleflight_key b = key_of(other, &upstream_a);

    return joins_at(shares, &a, &b);
}

static void only_the_same_question_joins(void **state)
{
    const struct gr_pair headers[] = {{GR_STR("X-Tenant"), GR_STR("1")},
                                      {GR_STR("X-Tenant"), GR_STR("2")}};
    const struct grc_exchange one = get("/rooms/1");
    struct grc_exchange other = one;

    assert_true(joins(*state, &one, &other));
    other.request_id = "another";
    other.timeout_ms = 17;
    assert_true(joins(*state, &one, &other));
    other.target = GR_STR("/rooms/1?a=b");
    assert_false(joins(*state, &one, &other));
    other = one;
    other.bearer = "token";
    assert_false(joins(*state, &one, &other));
    struct grc_exchange third = other;
    third.bearer = "another";
    assert_false(joins(*state, &third, &other));
    third.bearer = "";
    assert_false(joins(*state, &third, &one));
    other = one;
    other.partition = GR_STR("ada");
    assert_false(joins(*state, &one, &other));
    other = one;
    other.no_credential = true;
    assert_false(joins(*state, &one, &other));
    other = one;
    other.headers = &headers[0];
    other.header_count = 1;
    assert_false(joins(*state, &one, &other));
    third = other;
    assert_true(joins(*state, &third, &other));
    third.headers = &headers[1];
    assert_false(joins(*state, &third, &other));
}

static void nobody_joins_what_began_before_a_write(void **state)
{
    const struct grc_exchange exchange = get("/rooms/1");
    struct grc_singleflight_key one = key_of(&exchange, &upstream_a);
    struct grc_singleflight_key other = one;

    other.epoch++;
    assert_false(joins_at(*state, &one, &other));
}

static void upstreams_are_apart(void **state)
{
    const struct grc_exchange exchange = get("/rooms/1");
    struct grc_singleflight_key one = key_of(&exchange, &upstream_a);
    struct grc_singleflight_key other = one;

    other.upstream = &upstream_b; /* even with the same hash */
    assert_false(joins_at(*state, &one, &other));
}

static void only_gets_without_a_body_fit(void **state)
{
    struct grc_exchange exchange = get("/x");

    (void)state;
    assert_true(grc_singleflight_fits(&exchange));
    exchange.has_body = true;
    assert_false(grc_singleflight_fits(&exchange));
    exchange.has_body = false;
    exchange.method = GR_METHOD_POST;
    assert_false(grc_singleflight_fits(&exchange));
}

/* --- waiting --- */

struct follower {
    pthread_t thread;
    struct grc_singleflight *share;
    struct grc_exchange exchange;
    struct grc_arena arena;
    int64_t patience_ms;
    atomic_bool left;
    enum grc_singleflight_end end;
};

static bool has_left(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

static void *wait_for_it(void *arg)
{
    struct follower *follower = arg;

    follower->end = grc_singleflight_wait(follower->share, &follower->exchange,
                                          grc_mono_ms() + follower->patience_ms);
    return NULL;
}

static void follow(struct grc_singleflights *shares, const struct grc_exchange *exchange,
                   struct follower *follower)
{
    struct grc_singleflight_key key;
    bool leads = true;

    grc_arena_init(&follower->arena, 4096);
    follower->exchange = *exchange;
    follower->exchange.arena = &follower->arena;
    follower->exchange.gone = has_left;
    follower->exchange.gone_arg = &follower->left;
    follower->patience_ms = follower->patience_ms ? follower->patience_ms : 60000;
    key = key_of(&follower->exchange, &upstream_a);
    follower->share = grc_singleflight_enter(shares, &key, &leads);
    assert_true(follower->share && !leads);
    assert_int_equal(pthread_create(&follower->thread, NULL, wait_for_it, follower), 0);
}

static enum grc_singleflight_end join(struct follower *follower)
{
    assert_int_equal(pthread_join(follower->thread, NULL), 0);
    return follower->end;
}

static void all_get_the_one_answer(void **state)
{
    struct grc_exchange leader = get("/rooms/1");
    struct grc_singleflight_key key = key_of(&leader, &upstream_a);
    struct gr_pair header = {GR_STR("X-RateLimit-Limit"), GR_STR("10")};
    static struct follower followers[FOLLOWERS];
    bool leads = false;

    struct grc_singleflight *share = grc_singleflight_enter(*state, &key, &leads);
    assert_true(leads);
    for (size_t i = 0; i < FOLLOWERS; i++)
        follow(*state, &leader, &followers[i]);
    assert_int_equal(grc_singleflight_waiting(share), FOLLOWERS);
    leader.err = GR_OK;
    leader.status = 200;
    leader.answer = GR_STR("{\"id\":1}");
    leader.answer_type = GR_STR("application/json");
    leader.answer_headers = &header;
    leader.answer_header_count = 1;
    assert_true(grc_singleflight_worth(&leader));
    assert_true(grc_singleflight_close(*state, share));
    struct grc_answer *answer = grc_answer_new(&leader);
    grc_singleflight_publish(share, answer);
    grc_answer_unref(answer);
    for (size_t i = 0; i < FOLLOWERS; i++) {
        const struct grc_exchange *got = &followers[i].exchange;
        assert_int_equal(join(&followers[i]), GRC_SINGLEFLIGHT_ANSWERED);
        assert_int_equal(got->err, GR_OK);
        assert_int_equal(got->status, 200);
        assert_true(gr_str_eq(got->answer, leader.answer));
        assert_true(gr_str_eq(got->answer_type, leader.answer_type));
        assert_int_equal(got->answer_header_count, 1);
        assert_true(gr_str_eq(got->answer_headers[0].value, GR_STR("10")));
        /* one copy for all of them */
        assert_ptr_equal(got->answer.ptr, followers[0].exchange.answer.ptr);
    }
    for (size_t i = 0; i < FOLLOWERS; i++)
        grc_arena_done(&followers[i].arena);
}

static void a_leaders_own_fate_is_not_shared(void **state)
{
    struct grc_exchange leader = get("/rooms/1");
    struct grc_singleflight_key key = key_of(&leader, &upstream_a);
    static struct follower follower;
    bool leads = false;

    struct grc_singleflight *share = grc_singleflight_enter(*state, &key, &leads);
    follow(*state, &leader, &follower);
    leader.err = GR_ERR_CANCELLED;
    assert_false(grc_singleflight_worth(&leader));
    leader.err = GR_ERR_UPSTREAM_TIMEOUT;
    assert_false(grc_singleflight_worth(&leader));
    leader.err = GR_ERR_NO_MEMORY;
    assert_false(grc_singleflight_worth(&leader));
    leader.err = GR_ERR_UPSTREAM_CONNECT;
    assert_true(grc_singleflight_worth(&leader));
    assert_true(grc_singleflight_close(*state, share));
    grc_singleflight_publish(share, NULL);
    assert_int_equal(join(&follower), GRC_SINGLEFLIGHT_AGAIN);
    /* the next call that comes makes the request itself */
    share = grc_singleflight_enter(*state, &key, &leads);
    assert_true(leads);
    drop(*state, share);
    grc_arena_done(&follower.arena);
}

static void each_waits_no_longer_than_it_may(void **state)
{
    struct grc_exchange leader = get("/rooms/1");
    struct grc_singleflight_key key = key_of(&leader, &upstream_a);
    static struct follower hasty = {.patience_ms = 30};
    static struct follower leaving;
    bool leads = false;

    struct grc_singleflight *share = grc_singleflight_enter(*state, &key, &leads);
    follow(*state, &leader, &hasty);
    follow(*state, &leader, &leaving);
    assert_int_equal(join(&hasty), GRC_SINGLEFLIGHT_LATE);
    atomic_store(&leaving.left, true);
    assert_int_equal(join(&leaving), GRC_SINGLEFLIGHT_GONE);
    assert_int_equal(grc_singleflight_waiting(share), 0);
    drop(*state, share);
    grc_arena_done(&hasty.arena);
    grc_arena_done(&leaving.arena);
}

static void nobody_joins_after_the_end(void **state)
{
    struct grc_exchange leader = get("/rooms/1");
    struct grc_singleflight_key key = key_of(&leader, &upstream_a);
    bool leads = false;

    struct grc_singleflight *share = grc_singleflight_enter(*state, &key, &leads);
    assert_false(grc_singleflight_close(*state, share));
    struct grc_singleflight *next = grc_singleflight_enter(*state, &key, &leads);
    assert_true(leads);
    grc_singleflight_publish(share, NULL);
    drop(*state, next);
}

/* Many threads, few different requests: finds races and leaks under TSan and ASan. */
struct crowd {
    struct grc_singleflights *shares;
    _Atomic int led;
    _Atomic int followed;
};

static void crowd_step(struct crowd *crowd, int number)
{
    static const char *const targets[] = {"/a", "/b", "/c"};
    struct grc_exchange exchange = get(targets[number % 3]);
    struct grc_singleflight_key key = key_of(&exchange, &upstream_a);
    struct grc_arena arena;
    bool leads = false;

    grc_arena_init(&arena, 4096);
    exchange.arena = &arena;
    struct grc_singleflight *share = grc_singleflight_enter(crowd->shares, &key, &leads);
    if (!leads) {
        if (grc_singleflight_wait(share, &exchange, grc_mono_ms() + 60000) ==
                GRC_SINGLEFLIGHT_ANSWERED &&
            gr_str_eq(exchange.answer, exchange.target))
            atomic_fetch_add(&crowd->followed, 1);
    } else {
        exchange.status = 200;
        exchange.answer = exchange.target;
        bool wanted = grc_singleflight_close(crowd->shares, share);
        struct grc_answer *answer = wanted ? grc_answer_new(&exchange) : NULL;
        grc_singleflight_publish(share, answer);
        grc_answer_unref(answer);
        atomic_fetch_add(&crowd->led, 1);
    }
    grc_arena_done(&arena);
}

static void *crowd_run(void *arg)
{
    for (int i = 0; i < 2000; i++)
        crowd_step(arg, i);
    return NULL;
}

static void a_crowd_gets_its_answers(void **state)
{
    struct crowd crowd = {.shares = *state};
    pthread_t threads[8];

    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_run, &crowd), 0);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd.led) + atomic_load(&crowd.followed), 16000);
}

int main(void)
{
#define WITH_SHARES(name) cmocka_unit_test_setup_teardown(name, shares_begin, shares_end)
    const struct CMUnitTest tests[] = {
        WITH_SHARES(only_the_same_question_joins),
        WITH_SHARES(nobody_joins_what_began_before_a_write),
        WITH_SHARES(upstreams_are_apart),
        WITH_SHARES(only_gets_without_a_body_fit),
        WITH_SHARES(all_get_the_one_answer),
        WITH_SHARES(a_leaders_own_fate_is_not_shared),
        WITH_SHARES(each_waits_no_longer_than_it_may),
        WITH_SHARES(nobody_joins_after_the_end),
        WITH_SHARES(a_crowd_gets_its_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
