/* call/large.h: the limit of the memory of all large JSON values together */
#include "base/clock.h"
#include "call/large.h"
#include "loop/fiber.h"
#include "loop/wait.h"
#include "unit/loop_workers.h"

#include <poll.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TOTAL 100
#define CALLS 60

static void test_what_fits_enters_at_once(void **state)
{
    (void)state;
    assert_int_equal(grc_large_enter(60, TOTAL, grc_mono_ms()), GR_OK);
    assert_int_equal(grc_large_enter(40, TOTAL, grc_mono_ms()), GR_OK);
    assert_int_equal(grc_large_enter(1, TOTAL, grc_mono_ms() + 5), GR_ERR_OVERLOAD);
    grc_large_leave(60);
    assert_int_equal(grc_large_enter(61, TOTAL, grc_mono_ms() + 5), GR_ERR_OVERLOAD);
    assert_int_equal(grc_large_enter(60, TOTAL, grc_mono_ms()), GR_OK);
    grc_large_leave(40);
    grc_large_leave(60);
}

/* Otherwise it could never be served. */
static void test_a_single_tree_always_fits(void **state)
{
    (void)state;
    assert_int_equal(grc_large_enter(TOTAL * 5, TOTAL, grc_mono_ms()), GR_OK);
    assert_int_equal(grc_large_enter(1, TOTAL, grc_mono_ms() + 5), GR_ERR_OVERLOAD);
    assert_int_equal(grc_large_enter(SIZE_MAX, TOTAL, grc_mono_ms() + 5), GR_ERR_OVERLOAD);
    grc_large_leave(TOTAL * 5);
    assert_int_equal(grc_large_enter(TOTAL, TOTAL, grc_mono_ms()), GR_OK);
    grc_large_leave(TOTAL);
}

static struct {
    atomic_size_t held;
    atomic_uint ended;
} crowd;

static void hold_a_tree(void *bytes_of_it)
{
    size_t bytes = *(const size_t *)bytes_of_it;

    assert_int_equal(grc_large_enter(bytes, TOTAL, grc_mono_ms() + 60000), GR_OK);
    assert_true(atomic_fetch_add(&crowd.held, bytes) + bytes <= TOTAL);
    grc_wait_until(grc_mono_ms() + 1, GRC_WAITS_PAUSE);
    atomic_fetch_sub(&crowd.held, bytes);
    grc_large_leave(bytes);
    atomic_fetch_add(&crowd.ended, 1);
}

/* There are more calls than fit into the limit, and more than there are workers. Each gets its
 * memory in the end, and none holds a worker while it waits. */
static void test_a_crowd_stays_within_the_bound(void **state)
{
    static size_t sizes[] = {70, 10, 45, 25, 100};
    struct grc_loop *loop = grc_loop_new();
    struct loop_workers workers;

    (void)state;
    loop_workers_start(&workers, loop, 2);
    for (unsigned i = 0; i < CALLS; i++)
        assert_true(grc_fiber_start(loop, hold_a_tree, &sizes[i % 5]));
    while (atomic_load(&crowd.ended) < CALLS)
        poll(NULL, 0, 1);
    loop_workers_stop(&workers);
    assert_int_equal(grc_large_enter(TOTAL, TOTAL, grc_mono_ms()), GR_OK);
    grc_large_leave(TOTAL);
    grc_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_fits_enters_at_once),
        cmocka_unit_test(test_a_single_tree_always_fits),
        cmocka_unit_test(test_a_crowd_stays_within_the_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
