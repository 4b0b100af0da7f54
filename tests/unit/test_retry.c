/* Which failed calls are repeated, after what time, and how often in all. */
#include "upstream/retry.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static bool may(enum gr_err err, bool safe, bool sent, bool received, unsigned tries)
{
    const struct grc_retry_facts facts = {.err = err,
                                          .safe = safe,
                                          .sent = sent,
                                          .received = received,
                                          .tries_made = tries,
                                          .retries_max = 2};

    return grc_retry_may(&facts);
}

static void only_what_cannot_do_harm_is_retried(void **state)
{
    (void)state;
    /* there was no connection, so all methods are repeated */
    assert_true(may(GR_ERR_UPSTREAM_CONNECT, true, false, false, 1));
    assert_true(may(GR_ERR_UPSTREAM_CONNECT, false, false, false, 1));
    assert_true(may(GR_ERR_UPSTREAM_TIMEOUT, false, false, false, 1));
    /* the request was sent and there was no answer, so only safe methods are repeated */
    assert_true(may(GR_ERR_UPSTREAM_BROKEN, true, true, false, 2));
    assert_false(may(GR_ERR_UPSTREAM_BROKEN, false, true, false, 1));
    assert_false(may(GR_ERR_UPSTREAM_TIMEOUT, true, true, false, 1));
    assert_false(may(GR_ERR_UPSTREAM_CONNECT, false, true, false, 1));
    /* an answer had begun, so nothing is repeated */
    assert_false(may(GR_ERR_UPSTREAM_BROKEN, true, true, true, 1));
    /* enough */
    assert_false(may(GR_ERR_UPSTREAM_BROKEN, true, true, false, 3));
    /* nothing to retry */
    assert_false(may(GR_ERR_CANCELLED, true, false, false, 1));
    assert_false(may(GR_ERR_NO_MEMORY, true, false, false, 1));
    const struct grc_retry_facts lasting = {
        .err = GR_ERR_UPSTREAM_CONNECT, .safe = true, .lasting = true, .retries_max = 2};
    assert_false(grc_retry_may(&lasting));
}

static void waits_grow_and_vary(void **state)
{
    (void)state;
    assert_int_equal(grc_retry_delay_ms(1, 0), 25);
    assert_int_equal(grc_retry_delay_ms(1, 25), 50);
    assert_int_equal(grc_retry_delay_ms(2, 0), 50);
    assert_int_equal(grc_retry_delay_ms(3, 100), 200);
    assert_in_range(grc_retry_delay_ms(60, UINT64_MAX), 500, 1000);
}

static void the_budget_ends_and_comes_back(void **state)
{
    struct grc_retry_budget budget;
    int64_t now_ms = 1000000;

    (void)state;
    grc_retry_budget_init(&budget, 20);
    /* without calls: the least */
    for (int i = 0; i < 10; i++)
        assert_true(grc_retry_budget_spend(&budget, now_ms));
    assert_false(grc_retry_budget_spend(&budget, now_ms));
    /* 20% of 59 calls are 11, ten of which are spent */
    for (int i = 0; i < 59; i++)
        grc_retry_budget_earn(&budget, now_ms + 5000);
    assert_true(grc_retry_budget_spend(&budget, now_ms + 5000));
    assert_false(grc_retry_budget_spend(&budget, now_ms + 5000));
    /* the first ten leave the window, the calls and the eleventh are still in it */
    for (int i = 0; i < 10; i++)
        assert_true(grc_retry_budget_spend(&budget, now_ms + 11000));
    assert_false(grc_retry_budget_spend(&budget, now_ms + 11000));
    /* everything has left it */
    assert_true(grc_retry_budget_spend(&budget, now_ms + 60000));
}

static void the_wait_an_upstream_asks_for_is_kept_and_spread(void **state)
{
    (void)state;
    assert_int_equal(grc_retry_after_ms(2, 50, 0), 2025);
    assert_int_equal(grc_retry_after_ms(2, 50, 25), 2050);
    assert_in_range(grc_retry_after_ms(0, 100, UINT64_MAX), 50, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_cannot_do_harm_is_retried),
        cmocka_unit_test(waits_grow_and_vary),
        cmocka_unit_test(the_budget_ends_and_comes_back),
        cmocka_unit_test(the_wait_an_upstream_asks_for_is_kept_and_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
