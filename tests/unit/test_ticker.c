/* base/ticker: when a thread that repeats a function runs it, and how it ends */
#include "base/ticker.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STACK_BYTES ((size_t)128 * 1024)
/* An interval so long that a test that waited for it would not end. */
#define HOUR_MS 3600000

/* Counts ticks, and holds the ticker in a tick while the gate is shut. */
struct count {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int begun;
    int ended;
    bool shut;
};

static void tick(void *arg)
{
    struct count *count = arg;

    pthread_mutex_lock(&count->lock);
    count->begun++;
    pthread_cond_broadcast(&count->changed);
    while (count->shut)
        pthread_cond_wait(&count->changed, &count->lock);
    count->ended++;
    pthread_cond_broadcast(&count->changed);
    pthread_mutex_unlock(&count->lock);
}

static struct count count_of(bool shut)
{
    return (struct count){
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .shut = shut};
}

/* number is that of the ticks that have begun or ended, whichever is asked for. */
static void wait_for(struct count *count, const int *number, int value)
{
    pthread_mutex_lock(&count->lock);
    while (*number < value)
        pthread_cond_wait(&count->changed, &count->lock);
    pthread_mutex_unlock(&count->lock);
}

static void open_gate(struct count *count)
{
    pthread_mutex_lock(&count->lock);
    count->shut = false;
    pthread_cond_broadcast(&count->changed);
    pthread_mutex_unlock(&count->lock);
}

static void it_ticks_after_each_period(void **state)
{
    struct count count = count_of(false);
    struct grc_ticker ticker;

    (void)state;
    grc_ticker_init(&ticker, 1, tick, &count);
    assert_true(grc_ticker_start(&ticker, STACK_BYTES));
    wait_for(&count, &count.ended, 3);
    grc_ticker_done(&ticker);
    assert_int_equal(count.begun, count.ended);
}

static void it_ends_without_waiting_for_the_period(void **state)
{
    struct count count = count_of(false);
    struct grc_ticker ticker;

    (void)state;
    grc_ticker_init(&ticker, HOUR_MS, tick, &count);
    assert_true(grc_ticker_start(&ticker, STACK_BYTES));
    grc_ticker_stop(&ticker);
    assert_int_equal(count.begun, 0);
    assert_false(ticker.running);
    grc_ticker_stop(&ticker);
    grc_ticker_done(&ticker);
}

static void a_wake_before_the_start_makes_the_first_tick_early(void **state)
{
    struct count count = count_of(false);
    struct grc_ticker ticker;

    (void)state;
    grc_ticker_init(&ticker, HOUR_MS, tick, &count);
    grc_ticker_wake(&ticker);
    assert_true(grc_ticker_start(&ticker, STACK_BYTES));
    wait_for(&count, &count.ended, 1);
    grc_ticker_wake(&ticker);
    wait_for(&count, &count.ended, 2);
    grc_ticker_done(&ticker);
    assert_int_equal(count.ended, 2);
}

static void wakes_during_a_tick_are_one_more_tick(void **state)
{
    struct count count = count_of(true);
    struct grc_ticker ticker;

    (void)state;
    grc_ticker_init(&ticker, HOUR_MS, tick, &count);
    grc_ticker_wake(&ticker);
    assert_true(grc_ticker_start(&ticker, STACK_BYTES));
    wait_for(&count, &count.begun, 1);
    grc_ticker_wake(&ticker);
    grc_ticker_wake(&ticker);
    open_gate(&count);
    wait_for(&count, &count.ended, 2);
    grc_ticker_done(&ticker);
    assert_int_equal(count.ended, 2);
}

static void after_the_end_no_tick_begins(void **state)
{
    struct count count = count_of(true);
    struct grc_ticker ticker;

    (void)state;
    grc_ticker_init(&ticker, 1, tick, &count);
    assert_true(grc_ticker_start(&ticker, STACK_BYTES));
    wait_for(&count, &count.begun, 1);
    grc_ticker_end(&ticker);
    grc_ticker_wake(&ticker);
    assert_int_equal(count.ended, 0);
    open_gate(&count);
    grc_ticker_stop(&ticker);
    assert_int_equal(count.begun, 1);
    assert_int_equal(count.ended, 1);
    grc_ticker_done(&ticker);
}

static void it_can_be_released_without_a_start(void **state)
{
    struct count count = count_of(false);
    struct grc_ticker ticker;

    (void)state;
    grc_ticker_init(&ticker, 1, tick, &count);
    grc_ticker_wake(&ticker);
    grc_ticker_done(&ticker);
    assert_int_equal(count.begun, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_ticks_after_each_period),
        cmocka_unit_test(it_ends_without_waiting_for_the_period),
        cmocka_unit_test(a_wake_before_the_start_makes_the_first_tick_early),
        cmocka_unit_test(wakes_during_a_tick_are_one_more_tick),
        cmocka_unit_test(after_the_end_no_tick_begins),
        cmocka_unit_test(it_can_be_released_without_a_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
