/* When a breaker opens, lets a single call through as a probe, and closes. The tests set the
 * time. */
#include "upstream/breaker.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct grc_breaker_settings breaker_settings = {
    .enabled = true, .min_calls = 4, .error_percent = 50, .open_ms = 2000};

static void fail_times(struct grc_breaker *breaker, int64_t now_ms, int times)
{
    for (int i = 0; i < times; i++)
        grc_breaker_tell(breaker, now_ms, GRC_BREAKER_PASS, GRC_BREAKER_BAD);
}

static void the_breaker_opens_probes_and_closes(void **state)
{
    struct grc_breaker breaker;
    int64_t wait_ms = 0;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    fail_times(&breaker, 1000, 3);
    assert_int_equal(grc_breaker_ask(&breaker, 1000, &wait_ms), GRC_BREAKER_PASS);
    assert_true(grc_breaker_tell(&breaker, 1000, GRC_BREAKER_PASS, GRC_BREAKER_BAD));
    assert_int_equal(grc_breaker_ask(&breaker, 1500, &wait_ms), GRC_BREAKER_REFUSE);
    assert_int_equal(wait_ms, 1500);
    /* only one probe is made at a time */
    assert_int_equal(grc_breaker_ask(&breaker, 3000, &wait_ms), GRC_BREAKER_PROBE);
    assert_int_equal(grc_breaker_ask(&breaker, 3000, &wait_ms), GRC_BREAKER_REFUSE);
    grc_breaker_tell(&breaker, 3100, GRC_BREAKER_PROBE, GRC_BREAKER_BAD);
    assert_int_equal(grc_breaker_ask(&breaker, 5000, &wait_ms), GRC_BREAKER_REFUSE);
    /* a probe whose client disconnected does not count */
    assert_int_equal(grc_breaker_ask(&breaker, 5100, &wait_ms), GRC_BREAKER_PROBE);
    grc_breaker_tell(&breaker, 5100, GRC_BREAKER_PROBE, GRC_BREAKER_NONE);
    assert_int_equal(grc_breaker_ask(&breaker, 5100, &wait_ms), GRC_BREAKER_PROBE);
    assert_true(grc_breaker_tell(&breaker, 5100, GRC_BREAKER_PROBE, GRC_BREAKER_GOOD));
    assert_int_equal(grc_breaker_ask(&breaker, 5100, &wait_ms), GRC_BREAKER_PASS);
    fail_times(&breaker, 5200, 3);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_CLOSED);
    grc_breaker_done(&breaker);
}

static void a_probe_that_hangs_does_not_decide(void **state)
{
    struct grc_breaker breaker;
    int64_t wait_ms = 0;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    fail_times(&breaker, 1000, 4);
    assert_int_equal(grc_breaker_ask(&breaker, 3000, &wait_ms), GRC_BREAKER_PROBE);
    assert_int_equal(grc_breaker_ask(&breaker, 4999, &wait_ms), GRC_BREAKER_REFUSE);
    assert_int_equal(wait_ms, 1);
    assert_int_equal(grc_breaker_ask(&breaker, 5000, &wait_ms), GRC_BREAKER_PROBE);
    assert_true(grc_breaker_tell(&breaker, 5001, GRC_BREAKER_PROBE, GRC_BREAKER_GOOD));
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_CLOSED);
    /* the first probe fails late, and counts as one failure among others */
    assert_false(grc_breaker_tell(&breaker, 9000, GRC_BREAKER_PROBE, GRC_BREAKER_BAD));
    assert_int_equal(grc_breaker_ask(&breaker, 9000, &wait_ms), GRC_BREAKER_PASS);
    grc_breaker_done(&breaker);
}

static void late_news_of_old_calls_does_not_close_it(void **state)
{
    struct grc_breaker breaker;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    fail_times(&breaker, 1000, 4);
    assert_false(grc_breaker_tell(&breaker, 1001, GRC_BREAKER_PASS, GRC_BREAKER_GOOD));
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_OPEN);
    grc_breaker_done(&breaker);
}

static void the_breaker_forgets_what_is_older_than_its_window(void **state)
{
    struct grc_breaker breaker;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    fail_times(&breaker, 1000, 3);
    fail_times(&breaker, 11500, 3);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_CLOSED);
    fail_times(&breaker, 12000, 1);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_OPEN);
    grc_breaker_done(&breaker);
}

static void a_row_of_failures_opens_it_whatever_was_before(void **state)
{
    struct grc_breaker breaker;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    for (int i = 0; i < 1000; i++)
        grc_breaker_tell(&breaker, 1000, GRC_BREAKER_PASS, GRC_BREAKER_GOOD);
    fail_times(&breaker, 1100, 3);
    grc_breaker_tell(&breaker, 1100, GRC_BREAKER_PASS, GRC_BREAKER_GOOD);
    fail_times(&breaker, 1200, 3);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_CLOSED);
    fail_times(&breaker, 1200, 1);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_OPEN);
    grc_breaker_done(&breaker);
}

static void the_breaker_minds_the_share_of_failures(void **state)
{
    struct grc_breaker breaker;

    (void)state;
    assert_true(grc_breaker_init(&breaker, &breaker_settings));
    for (int i = 0; i < 10; i++)
        grc_breaker_tell(&breaker, 1000, GRC_BREAKER_PASS, GRC_BREAKER_GOOD);
    for (int i = 0; i < 4; i++) { /* there are never four failures in a row */
        fail_times(&breaker, 1000, 3);
        grc_breaker_tell(&breaker, 1000, GRC_BREAKER_PASS, GRC_BREAKER_GOOD);
    }
    fail_times(&breaker, 1000, 1);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_CLOSED); /* 13 of 27 failed */
    fail_times(&breaker, 1000, 1);
    assert_int_equal(grc_breaker_state(&breaker), GRC_BREAKER_OPEN); /* 14 of 28 failed */
    grc_breaker_done(&breaker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_breaker_opens_probes_and_closes),
        cmocka_unit_test(a_probe_that_hangs_does_not_decide),
        cmocka_unit_test(late_news_of_old_calls_does_not_close_it),
        cmocka_unit_test(the_breaker_forgets_what_is_older_than_its_window),
        cmocka_unit_test(a_row_of_failures_opens_it_whatever_was_before),
        cmocka_unit_test(the_breaker_minds_the_share_of_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
