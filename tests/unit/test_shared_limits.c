/*
 * The arithmetic of shared limits. The tests set the time, and keep a bucket and shares as the
 * scripts of the server do. Simulated gateways act at random, and the bounds that guard/lease.h and
 * guard/hold.h state must hold. GR_SEED repeats a run.
 */
#include "guard/hold.h"
#include "guard/lease.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define START (1000 * SECOND)
#define GATEWAYS 3

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* --- rates --- */

/* A bucket, with which the functions below do what the script GRC_SHARED_TAKE does. */
struct bucket {
    double left;
    int64_t at_us;
};

static int64_t bucket_take(struct bucket *bucket, const struct grc_rate *rate, int64_t wanted,
                           int64_t now_us)
{
    bucket->left += (double)(now_us - bucket->at_us) * rate->per_s / 1e6;
    if (bucket->left > (double)rate->burst)
        bucket->left = (double)rate->burst;
    bucket->at_us = now_us;
    int64_t got = wanted < (int64_t)bucket->left ? wanted : (int64_t)floor(bucket->left);
    bucket->left -= (double)got;
    return got;
}

static void ask(struct grc_lease *lease, struct bucket *bucket, const struct grc_rate *rate,
                int64_t now_us)
{
    int64_t wanted = grc_lease_want(lease, rate, now_us);

    if (wanted == 0)
        return;
    lease->asked = wanted;
    int64_t got = bucket_take(bucket, rate, wanted, now_us);
    grc_lease_answer(lease, rate, got, bucket->left, now_us);
}

/* Makes one request, whose question to the server is answered immediately. Returns whether it
 * passes. */
static bool request(struct grc_lease *lease, struct bucket *bucket, const struct grc_rate *rate,
                    int64_t now_us)
{
    enum grc_lease_verdict verdict = grc_lease_take(lease, now_us);

    if (verdict == GRC_LEASE_ASK) {
        lease->waiting++;
        ask(lease, bucket, rate, now_us);
        lease->waiting--;
        verdict = grc_lease_take(lease, now_us);
    }
    if (verdict == GRC_LEASE_TAKEN)
        ask(lease, bucket, rate, now_us);
    return verdict == GRC_LEASE_TAKEN;
}

static void test_lease_size(void **state)
{
    static const struct {
        struct grc_rate rate;
        int64_t size;
    } rows[] = {
        {{100, 100}, 2}, {{100, 6000}, 10},  {{1000, 1000}, 25},
        {{10, 600}, 1},  {{9.9, 600}, 0},    {{1000, 39}, 0},
        {{1000, 40}, 1}, {{3.0 / 60, 3}, 0}, {{1000000, 1000000}, 25000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(grc_lease_size(&rows[i].rate), rows[i].size);
}

static void test_a_token_that_is_here_needs_no_question(void **state)
{
    const struct grc_rate rate = {.per_s = 100, .burst = 100};
    struct grc_lease lease = {0};

    (void)state;
    assert_int_equal(grc_lease_take(&lease, START), GRC_LEASE_ASK);
    lease.waiting = 1;
    assert_int_equal(grc_lease_want(&lease, &rate, START), 3); /* one for it, two in advance */
    lease.asked = 3;
    assert_int_equal(grc_lease_want(&lease, &rate, START), 0); /* only one question at a time */
    grc_lease_answer(&lease, &rate, 3, 97, START);
    lease.waiting = 0;
    assert_int_equal(grc_lease_take(&lease, START), GRC_LEASE_TAKEN);
    assert_int_equal(grc_lease_want(&lease, &rate, START), 0);
    assert_int_equal(grc_lease_take(&lease, START), GRC_LEASE_TAKEN);
    assert_int_equal(grc_lease_want(&lease, &rate, START), 1); /* for the next request */
    assert_int_equal(grc_lease_take(&lease, START), GRC_LEASE_TAKEN);
    assert_int_equal(grc_lease_take(&lease, START), GRC_LEASE_ASK);
}

static void test_an_empty_bucket_is_not_asked_again_at_once(void **state)
{
    const struct grc_rate rate = {.per_s = 2, .burst = 2};
    struct grc_lease lease = {.waiting = 1, .asked = 1};
    struct grc_rate_view view;

    (void)state;
    grc_lease_answer(&lease, &rate, 0, 0.5, START);
    lease.waiting = 0;
    assert_int_equal(grc_lease_take(&lease, START), GRC_LEASE_NONE);
    view = grc_lease_view(&lease, &rate, START);
    assert_int_equal(view.limit, 2);
    assert_int_equal(view.remaining, 0);
    assert_int_equal(view.next_s, 1);
    assert_int_equal(view.full_s, 1);
    assert_int_equal(grc_lease_take(&lease, START + SECOND / 4 - 1), GRC_LEASE_NONE);
    assert_int_equal(grc_lease_want(&lease, &rate, START + SECOND / 4 - 1), 0);
    assert_int_equal(grc_lease_take(&lease, START + SECOND / 4), GRC_LEASE_ASK);
}

static void test_a_slow_bucket_is_asked_again_after_a_second(void **state)
{
    const struct grc_rate rate = {.per_s = 1.0 / 3600, .burst = 1};
    struct grc_lease lease = {.asked = 1};

    (void)state;
    grc_lease_answer(&lease, &rate, 0, 0, START);
    assert_int_equal(grc_lease_view(&lease, &rate, START).next_s, 3600);
    assert_int_equal(grc_lease_take(&lease, START + SECOND - 1), GRC_LEASE_NONE);
    assert_int_equal(grc_lease_take(&lease, START + SECOND), GRC_LEASE_ASK);
}

static void test_a_low_limit_is_exact(void **state)
{
    const struct grc_rate rate = {.per_s = 3.0 / 60, .burst = 3};
    struct bucket bucket = {.left = 3, .at_us = START};
    struct grc_lease leases[GATEWAYS] = {{0}};

    (void)state;
    /* Each gateway gets one token. None keeps a token that another gateway could use. */
    for (size_t i = 0; i < GATEWAYS; i++) {
        assert_true(request(&leases[i], &bucket, &rate, START));
        assert_int_equal(grc_lease_view(&leases[i], &rate, START).remaining, 2 - (int)i);
    }
    for (size_t i = 0; i < GATEWAYS; i++)
        assert_false(request(&leases[i], &bucket, &rate, START));
}

/* Sends requests to gateways in proportion to weights, far more than pass, for ten seconds after
 * the bucket was emptied. Returns how many passed. */
static int64_t passed(const struct grc_rate *rate, const unsigned weights[GATEWAYS])
{
    struct bucket bucket = {.left = (double)rate->burst, .at_us = START};
    struct grc_lease leases[GATEWAYS] = {{0}};
    unsigned sum = weights[0] + weights[1] + weights[2];
    int64_t begin_us = 0;
    int64_t count = 0;

    for (int64_t now_us = START; !begin_us || now_us < begin_us + 10 * SECOND;
         now_us += 1 + (int64_t)draw(200)) {
        unsigned drawn = (unsigned)draw(sum);
        size_t at = drawn < weights[0] ? 0 : drawn < weights[0] + weights[1] ? 1 : 2;
        bool passes = request(&leases[at], &bucket, rate, now_us);

        if (!passes && !begin_us)
            begin_us = now_us;
        count += passes && begin_us;
    }
    return count;
}

static void test_the_rate_is_that_of_one_gateway(void **state)
{
    static const struct grc_rate rates[] = {{100, 100}, {100, 200}, {1000, 1000}, {20, 20}};
    static const unsigned weights[][GATEWAYS] = {{1, 1, 1}, {1, 0, 0}, {20, 4, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        for (size_t j = 0; j < sizeof(weights) / sizeof(weights[0]); j++) {
            double wanted = rates[i].per_s * 10;
            double count = (double)passed(&rates[i], weights[j]);
            double bound = wanted + GATEWAYS * (double)grc_lease_size(&rates[i]) + 1;

            if (count > bound || count < wanted * 0.97)
                fail_msg("rate %g, weights %zu: %g passed, %g wanted", rates[i].per_s, j, count,
                         wanted);
        }
    }
}

/* The bound holds over any time, also with pauses, after which gateways hold tokens and the bucket
 * is full. */
static void test_the_bound(void **state)
{
    const struct grc_rate rate = {.per_s = 200, .burst = 80};
    struct bucket bucket = {.left = 80, .at_us = START};
    struct grc_lease leases[GATEWAYS] = {{0}};
    double most = 80 + GATEWAYS * (double)grc_lease_size(&rate);
    double allowed = most; /* a bucket of the bound's size: it must never be overdrawn */
    int64_t now_us = START;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        int64_t step_us = draw(500) ? (int64_t)draw(3000) : (int64_t)draw(2 * SECOND);

        now_us += step_us;
        allowed += (double)step_us * rate.per_s / 1e6;
        if (allowed > most)
            allowed = most;
        if (request(&leases[draw(GATEWAYS)], &bucket, &rate, now_us))
            allowed -= 1;
        if (allowed < -1e-6)
            fail_msg("step %d: more passed than the bound", i);
    }
}

/* --- numbers in use --- */

#define MAX 10

/* Shares, with which the functions below do what the script GRC_SHARED_HOLD does. */
struct shares {
    int64_t share[GATEWAYS];
    int64_t until_us[GATEWAYS];
    int questions;
};

static int64_t shares_ask(struct shares *shares, size_t self, int64_t used, int64_t wanted,
                          int64_t now_us, int64_t *ret_free)
{
    int64_t others = 0;

    for (size_t i = 0; i < GATEWAYS; i++)
        others += i != self && shares->until_us[i] > now_us ? shares->share[i] : 0;
    int64_t got = others > MAX ? 0 : MAX - others;
    got = wanted < got ? wanted : got;
    got = got > used ? got : used;
    *ret_free = others + got < MAX ? MAX - others - got : 0;
    shares->share[self] = got;
    shares->until_us[self] = now_us + INT64_C(1000) * GRC_HOLD_TTL_MS;
    return got;
}

static void look(struct grc_hold *hold, struct shares *shares, size_t self, int64_t now_us)
{
    int64_t wanted = grc_hold_want(hold, MAX, now_us);
    int64_t free;

    if (wanted < 0)
        return;
    shares->questions++;
    int64_t got = shares_ask(shares, self, hold->used, wanted, now_us, &free);
    grc_hold_answer(hold, got, free, MAX, now_us);
}

static bool enters(struct grc_hold *hold, struct shares *shares, size_t self, int64_t now_us)
{
    enum grc_hold_verdict verdict = grc_hold_enter(hold, MAX, now_us);

    if (verdict == GRC_HOLD_ASK) {
        hold->waiting++;
        look(hold, shares, self, now_us);
        hold->waiting--;
        verdict = grc_hold_enter(hold, MAX, now_us);
    }
    return verdict == GRC_HOLD_TAKEN;
}

static void test_places_are_given_back(void **state)
{
    struct shares shares = {.questions = 0};
    struct grc_hold holds[2] = {{0}};
    int64_t now_us = START;

    (void)state;
    for (int i = 0; i < MAX; i++)
        assert_true(enters(&holds[0], &shares, 0, now_us));
    assert_int_equal(grc_hold_enter(&holds[0], MAX, now_us), GRC_HOLD_FULL);
    assert_false(enters(&holds[1], &shares, 1, now_us));
    grc_hold_leave(&holds[0]);
    /* The place is kept for a moment for the next request of this gateway, and is then given
     * back. */
    assert_int_equal(grc_hold_want(&holds[0], MAX, now_us + 1000), -1);
    for (int i = 0; i < 3; i++)
        look(&holds[0], &shares, 0, now_us += 6000);
    assert_int_equal(shares.share[0], MAX - 1);
    assert_true(enters(&holds[1], &shares, 1, now_us));
    assert_false(enters(&holds[1], &shares, 1, now_us));
    /* When no place is in use, all are given back immediately. */
    for (int i = 0; i < MAX - 1; i++)
        grc_hold_leave(&holds[0]);
    assert_int_equal(grc_hold_want(&holds[0], MAX, now_us + 1), 0);
}

static void test_what_is_on_its_way_back_is_not_used(void **state)
{
    struct shares shares = {.questions = 0};
    struct grc_hold hold = {0};

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_true(enters(&hold, &shares, 0, START));
    for (int i = 0; i < 3; i++)
        grc_hold_leave(&hold);
    look(&hold, &shares, 0, START + 6000); /* a window in which four were needed */
    assert_int_equal(grc_hold_want(&hold, MAX, START + 12000), 1);
    /* The question is under way, and the others may have the places already. */
    assert_int_equal(grc_hold_enter(&hold, MAX, START + 12000), GRC_HOLD_ASK);
}

static void test_a_share_ends(void **state)
{
    struct shares shares = {.questions = 0};
    struct grc_hold holds[2] = {{0}};
    int64_t end_us = START + INT64_C(1000) * GRC_HOLD_TTL_MS;

    (void)state;
    for (int i = 0; i < MAX; i++)
        assert_true(enters(&holds[0], &shares, 0, START));
    /* A share that is renewed in time is kept. */
    look(&holds[0], &shares, 0, START + 4 * SECOND);
    assert_false(enters(&holds[1], &shares, 1, end_us + SECOND));
    /* The share of a gateway that has ended expires. */
    assert_true(enters(&holds[1], &shares, 1, end_us + 4 * SECOND));
    /* A gateway that was stopped for such a time does not use its share any more. */
    grc_hold_leave(&holds[0]);
    assert_int_equal(grc_hold_enter(&holds[0], MAX, end_us + 4 * SECOND), GRC_HOLD_ASK);
}

static void test_an_unanswered_question_is_repeated(void **state)
{
    struct grc_hold hold = {.waiting = 1};

    (void)state;
    assert_int_equal(grc_hold_want(&hold, MAX, START), 1);
    assert_int_equal(grc_hold_want(&hold, MAX, START), -1);
    hold.waiting = 0;
    grc_hold_unanswered(&hold);
    /* The server may have granted the place. */
    assert_false(grc_hold_idle(&hold));
    assert_int_equal(grc_hold_want(&hold, MAX, START), 0);
    grc_hold_answer(&hold, 0, MAX, MAX, START);
    assert_true(grc_hold_idle(&hold));
}

static void test_what_is_in_use_is_told_to_a_server_that_lost_it(void **state)
{
    struct shares shares = {.questions = 0};
    struct grc_hold hold = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(enters(&hold, &shares, 0, START));
    shares = (struct shares){.questions = 0};
    grc_hold_doubt(&hold);
    look(&hold, &shares, 0, START + 1);
    assert_int_equal(shares.share[0], 3);
    assert_int_equal(hold.share, 3);
    grc_hold_forget(&hold);
    assert_false(grc_hold_idle(&hold)); /* three are in progress */
    assert_int_equal(grc_hold_enter(&hold, MAX, START + 2), GRC_HOLD_ASK);
}

/* Gives the hold an answer of the server while only few of max places are lent out. */
static void plenty(struct grc_hold *hold, int64_t max, int64_t now_us)
{
    int64_t wanted = grc_hold_want(hold, max, now_us);

    if (wanted >= 0)
        grc_hold_answer(hold, wanted, max - wanted, max, now_us);
}

static void test_spare_places_are_kept_while_there_are_plenty(void **state)
{
    enum { MANY = 1000 };
    struct grc_hold hold = {.waiting = 4};
    int64_t now_us = START;
    int questions = 0;

    (void)state;
    plenty(&hold, MANY, now_us);
    plenty(&hold, MANY, now_us += SECOND); /* with what is known from the first answer */
    hold.waiting = 0;
    /* A second in which each of 4 clients sends 1000 requests, one after the other. */
    for (int i = 0; i < 1000; i++) {
        for (int j = 0; j < 4; j++)
            assert_int_equal(grc_hold_enter(&hold, MANY, now_us), GRC_HOLD_TAKEN);
        for (int j = 0; j < 4; j++)
            grc_hold_leave(&hold);
        assert_false(grc_hold_returns(&hold));
        now_us += 1000;
        if (now_us < grc_hold_next_us(&hold))
            continue;
        questions++;
        plenty(&hold, MANY, now_us);
    }
    assert_in_range(questions, 8, 12);
    assert_in_range(hold.share, 4, 6);
    /* When no more requests come, all places are given back. */
    plenty(&hold, MANY, now_us = grc_hold_next_us(&hold));
    assert_in_range(now_us, 1, START + 3 * SECOND);
    plenty(&hold, MANY, now_us = grc_hold_next_us(&hold));
    assert_int_equal(hold.share, 0);
    assert_true(grc_hold_idle(&hold));
}

static void test_spare_places_go_back_when_others_need_them(void **state)
{
    struct grc_hold hold = {.waiting = 4};

    (void)state;
    plenty(&hold, 100, START);
    hold.waiting = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(grc_hold_enter(&hold, 100, START), GRC_HOLD_TAKEN);
    for (int i = 0; i < 4; i++)
        grc_hold_leave(&hold);
    assert_int_equal(grc_hold_want(&hold, 100, START + 1), -1);
    /* Less than half of the places are free by the next answer, which comes while a request that
     * waits elsewhere still has patience. */
    int64_t next_us = grc_hold_next_us(&hold);
    assert_in_range(next_us, START, START + INT64_C(1000) * GRC_HOLD_LINGER_MS);
    int64_t want = grc_hold_want(&hold, 100, next_us);
    assert_true(want > 0);
    grc_hold_answer(&hold, want, 49, 100, next_us);
    assert_true(grc_hold_returns(&hold));
    assert_int_equal(grc_hold_next_us(&hold), 0);
    assert_int_equal(grc_hold_want(&hold, 100, next_us), 0);
}

/* Whatever the gateways do, no more than MAX are in use. */
static void test_the_number_in_use_never_exceeds_the_limit(void **state)
{
    struct shares shares = {.questions = 0};
    struct grc_hold holds[GATEWAYS] = {{0}};
    int64_t now_us = START;
    int64_t entered = 0;

    (void)state;
    for (int i = 0; i < 300000; i++) {
        size_t at = (size_t)draw(GATEWAYS);

        now_us += (int64_t)draw(4000);
        for (size_t j = 0; j < GATEWAYS; j++)
            look(&holds[j], &shares, j, now_us);
        if (draw(2))
            grc_hold_leave(&holds[at]);
        else
            entered += enters(&holds[at], &shares, at, now_us);
        int64_t used = holds[0].used + holds[1].used + holds[2].used;
        if (used > MAX)
            fail_msg("step %d: %lld in use", i, (long long)used);
    }
    assert_true(entered > 50000);
}

int main(void)
{
    const char *given = getenv("GR_SEED");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lease_size),
        cmocka_unit_test(test_a_token_that_is_here_needs_no_question),
        cmocka_unit_test(test_an_empty_bucket_is_not_asked_again_at_once),
        cmocka_unit_test(test_a_slow_bucket_is_asked_again_after_a_second),
        cmocka_unit_test(test_a_low_limit_is_exact),
        cmocka_unit_test(test_the_rate_is_that_of_one_gateway),
        cmocka_unit_test(test_the_bound),
        cmocka_unit_test(test_places_are_given_back),
        cmocka_unit_test(test_what_is_on_its_way_back_is_not_used),
        cmocka_unit_test(test_a_share_ends),
        cmocka_unit_test(test_an_unanswered_question_is_repeated),
        cmocka_unit_test(test_what_is_in_use_is_told_to_a_server_that_lost_it),
        cmocka_unit_test(test_spare_places_are_kept_while_there_are_plenty),
        cmocka_unit_test(test_spare_places_go_back_when_others_need_them),
        cmocka_unit_test(test_the_number_in_use_never_exceeds_the_limit),
    };

    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    seed = seed ? seed : 1;
    printf("GR_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
