/* Buckets, counts and the table that holds them. The tests set the time. */
#include "base/address.h"
#include "base/siphash.h"
#include "guard/limits.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define START (1000 * SECOND)

static const struct grc_rate ten_a_second = {.per_s = 10, .burst = 5};

static uint64_t key_of(const char *who)
{
    return grc_rates_key(GRC_RATE_CALLER, gr_str_of(who), (gr_str){NULL, 0});
}

static void test_bucket(void **state)
{
    struct grc_rates *rates = grc_rates_new(1024);
    struct grc_rate_view view;

    (void)state;
    assert_non_null(rates);
    for (int i = 4; i >= 0; i--) {
        assert_true(grc_rates_take(rates, key_of("a"), &ten_a_second, START, &view));
        assert_int_equal(view.remaining, i);
        assert_int_equal(view.limit, 5);
    }
    assert_false(grc_rates_take(rates, key_of("a"), &ten_a_second, START, &view));
    assert_int_equal(view.remaining, 0);
    assert_int_equal(view.next_s, 1);
    assert_int_equal(view.full_s, 1);
    /* Another owner has a bucket of its own. */
    assert_true(grc_rates_take(rates, key_of("b"), &ten_a_second, START, NULL));
    /* Each tenth of a second adds one token, up to the maximum. */
    assert_false(grc_rates_take(rates, key_of("a"), &ten_a_second, START + SECOND / 11, NULL));
    assert_true(grc_rates_take(rates, key_of("a"), &ten_a_second, START + SECOND / 10, NULL));
    assert_false(grc_rates_take(rates, key_of("a"), &ten_a_second, START + SECOND / 10, NULL));
    assert_true(grc_rates_take(rates, key_of("a"), &ten_a_second, START + 3600 * SECOND, &view));
    assert_int_equal(view.remaining, 4);
    /* A time that is slightly earlier, as another thread may have read it, changes nothing. */
    assert_true(grc_rates_take(rates, key_of("a"), &ten_a_second, START, &view));
    assert_int_equal(view.remaining, 3);
    grc_rates_free(rates);
}

static void test_slow_rate(void **state)
{
    const struct grc_rate rate = {.per_s = 2.0 / 3600, .burst = 2};
    struct grc_rates *rates = grc_rates_new(1024);
    struct grc_rate_view view;

    (void)state;
    assert_true(grc_rates_take(rates, key_of("a"), &rate, START, NULL));
    assert_true(grc_rates_take(rates, key_of("a"), &rate, START, NULL));
    assert_false(grc_rates_take(rates, key_of("a"), &rate, START, &view));
    assert_int_equal(view.next_s, 1800);
    assert_int_equal(view.full_s, 3600);
    assert_false(grc_rates_take(rates, key_of("a"), &rate, START + 1799 * SECOND, &view));
    assert_int_equal(view.next_s, 1);
    assert_true(grc_rates_take(rates, key_of("a"), &rate, START + 1801 * SECOND, NULL));
    grc_rates_free(rates);
}

static void test_use(void **state)
{
    struct grc_rates *rates = grc_rates_new(1024);
    bool counted;

    (void)state;
    assert_true(grc_rates_enter(rates, key_of("a"), 2, START, &counted));
    assert_true(counted);
    assert_true(grc_rates_enter(rates, key_of("a"), 2, START, &counted));
    assert_false(grc_rates_enter(rates, key_of("a"), 2, START, &counted));
    assert_false(counted);
    grc_rates_leave(rates, key_of("a"));
    assert_true(grc_rates_enter(rates, key_of("a"), 2, START, &counted));
    grc_rates_leave(rates, key_of("nobody"));
    grc_rates_free(rates);
}

/* Entries in use are kept, however many new keys arrive, and new keys are accepted. */
static void test_full_table(void **state)
{
    struct grc_rates *rates = grc_rates_new(1024);
    char name[32];
    bool counted;
    int refused = 0;

    (void)state;
    assert_true(grc_rates_enter(rates, key_of("held"), 1, START, &counted));
    assert_true(counted);
    for (int i = 0; i < 200000; i++) {
        snprintf(name, sizeof(name), "stranger %d", i);
        refused += !grc_rates_take(rates, key_of(name), &ten_a_second, START + i, NULL);
    }
    assert_int_equal(refused, 0);
    assert_false(grc_rates_enter(rates, key_of("held"), 1, START, &counted));
    /* All entries are in use. New keys cannot be counted, and are accepted. */
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "stranger %d", i);
        assert_true(grc_rates_enter(rates, key_of(name), 1, START, &counted));
    }
    assert_false(grc_rates_enter(rates, key_of("held"), 1, START, &counted));
    grc_rates_free(rates);
}

/* --- many at once --- */

struct crowd {
    struct grc_rates *rates;
    int taken;
    int max_seen;
};

static _Atomic int inside;

static void *press(void *arg)
{
    struct crowd *crowd = arg;
    bool counted;

    for (int i = 0; i < 20000; i++) {
        crowd->taken +=
            grc_rates_take(crowd->rates, key_of("a"),
                           &(struct grc_rate){.per_s = 1e-6, .burst = 1000}, START, NULL);
        if (!grc_rates_enter(crowd->rates, key_of("u"), 2, START, &counted))
            continue;
        int now = atomic_fetch_add(&inside, 1) + 1;
        if (now > crowd->max_seen)
            crowd->max_seen = now;
        atomic_fetch_sub(&inside, 1);
        grc_rates_leave(crowd->rates, key_of("u"));
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct grc_rates *rates = grc_rates_new(1024);
    struct crowd crowds[4];
    pthread_t threads[4];
    int taken = 0;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        crowds[i] = (struct crowd){.rates = rates};
        assert_int_equal(pthread_create(&threads[i], NULL, press, &crowds[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        taken += crowds[i].taken;
        assert_true(crowds[i].max_seen <= 2);
    }
    assert_int_equal(taken, 1000);
    grc_rates_free(rates);
}

/* --- keys of the table --- */

static void test_keys_differ(void **state)
{
    const gr_str none = {NULL, 0};

    (void)state;
    assert_true(grc_rates_key(GRC_RATE_CALLER, GR_STR("ab"), none) ==
                grc_rates_key(GRC_RATE_CALLER, GR_STR("ab"), none));
    assert_false(grc_rates_key(GRC_RATE_CALLER, GR_STR("ab"), none) ==
                 grc_rates_key(GRC_RATE_ADDRESS, GR_STR("ab"), none));
    assert_false(grc_rates_key(GRC_RATE_SCOPE, GR_STR("ab"), GR_STR("c")) ==
                 grc_rates_key(GRC_RATE_SCOPE, GR_STR("a"), GR_STR("bc")));
}

static bool same_address(const char *a, const char *b)
{
    char text_a[64];
    char text_b[64];

    return gr_str_eq(grc_address_key(gr_str_of(a), text_a), grc_address_key(gr_str_of(b), text_b));
}

static void test_addresses(void **state)
{
    char text[64];

    (void)state;
    assert_true(same_address("10.0.0.1", "::ffff:10.0.0.1"));
    assert_false(same_address("10.0.0.1", "10.0.0.2"));
    assert_true(same_address("2001:db8:1:2::1", "2001:db8:1:2:ffff::"));
    assert_false(same_address("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert_string_equal(grc_address_key(GR_STR("2001:db8:0:7:1:2:3:4"), text).ptr,
                        "2001:db8:0:7::/64");
    assert_int_equal(grc_address_key(GR_STR(""), text).len, 0);
    assert_int_equal(
        grc_address_key(GR_STR("0123456789012345678901234567890123456789012345678901234"
                               "5678901234567890"),
                        text)
            .len,
        63);
}

/* The example of the paper: the key 00 … 0f, the text 00 … 0e. */
static void test_siphash(void **state)
{
    struct grc_siphash hash;
    char bytes[15];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    for (size_t first = 0; first <= 15; first++) { /* in two pieces, or in one */
        grc_siphash_begin_with(&hash, 0x0706050403020100u, 0x0f0e0d0c0b0a0908u);
        grc_siphash_add(&hash, (gr_str){bytes, first});
        grc_siphash_add(&hash, (gr_str){bytes + first, 15 - first});
        assert_true(grc_siphash_end(&hash) == 0xa129ca6149be45e5u);
    }
}

/* --- the throttle --- */

static void test_throttle(void **state)
{
    struct grc_settings settings = {
        .auth = {.keys_file = "k", .throttle_failures = 3, .throttle_window_ms = 60000}};
    struct grc_limits *limits = grc_limits_new(&settings);
    int64_t retry_s = 0;

    (void)state;
    assert_non_null(limits);
    for (int i = 0; i < 3; i++)
        assert_true(grc_limits_failure(limits, GR_STR("2001:db8::1"), START, &retry_s));
    assert_false(grc_limits_failure(limits, GR_STR("2001:db8::2"), START, &retry_s));
    assert_int_equal(retry_s, 20);
    assert_true(grc_limits_failure(limits, GR_STR("2001:db8:0:1::1"), START, &retry_s));
    assert_true(grc_limits_failure(limits, GR_STR("2001:db8::1"), START + 21 * SECOND, &retry_s));
    grc_limits_free(limits);
    /* Groups may have credentials of their own, also when the host has no provider. */
    settings.auth.keys_file = NULL;
    limits = grc_limits_new(&settings);
    assert_non_null(limits->failures);
    grc_limits_free(limits);
    settings.auth.throttle_failures = 0;
    limits = grc_limits_new(&settings);
    assert_null(limits->failures);
    assert_null(limits->rates);
    grc_limits_free(limits);
}

static void test_in_flight(void **state)
{
    struct grc_settings settings = {.limits = {.in_flight = 2}};
    struct grc_limits *limits = grc_limits_new(&settings);

    (void)state;
    assert_true(grc_limits_enter(limits));
    assert_true(grc_limits_enter(limits));
    assert_false(grc_limits_enter(limits));
    assert_false(grc_limits_enter(limits));
    grc_limits_leave(limits);
    assert_true(grc_limits_enter(limits));
    grc_limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket),    cmocka_unit_test(test_slow_rate),
        cmocka_unit_test(test_use),       cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_threads),   cmocka_unit_test(test_keys_differ),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_throttle),  cmocka_unit_test(test_in_flight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
