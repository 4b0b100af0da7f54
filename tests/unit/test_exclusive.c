/* call/exclusive.h: calls with the same key run one after the other */
#include "base/clock.h"
#include "call/exclusive.h"
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

#define KEY GR_STR("room 7")
#define CALLS 100

static int one, other;

static void test_holder_has_it_until_it_leaves(void **state)
{
    bool is_new = false;

    (void)state;
    assert_int_equal(grc_exclusive_enter("a", KEY, &one, GRC_NEVER_MS, &is_new), GR_OK);
    assert_true(is_new);
    assert_int_equal(grc_exclusive_enter("a", KEY, &one, GRC_NEVER_MS, &is_new), GR_OK);
    assert_false(is_new);
    /* The key is in use. Other keys, and the same key of other owners, are free. */
    assert_int_equal(grc_exclusive_enter("a", KEY, &other, grc_mono_ms() + 5, &is_new),
                     GR_ERR_TIMEOUT);
    assert_int_equal(grc_exclusive_enter("b", KEY, &other, GRC_NEVER_MS, &is_new), GR_OK);
    assert_int_equal(grc_exclusive_enter("a", GR_STR(""), &other, GRC_NEVER_MS, &is_new), GR_OK);
    assert_int_equal(grc_exclusive_count(), 3);
    grc_exclusive_leave("a", KEY);
    assert_int_equal(grc_exclusive_enter("a", KEY, &other, GRC_NEVER_MS, &is_new), GR_OK);
    grc_exclusive_leave("a", KEY);
    grc_exclusive_leave("a", GR_STR(""));
    grc_exclusive_leave("b", KEY);
    assert_int_equal(grc_exclusive_count(), 0);
}

struct crowd {
    struct grc_loop *loop;
    atomic_uint inside;
    atomic_uint turns;
    atomic_uint late;
    atomic_uint ended;
};

static void take_turn(void *arg)
{
    struct crowd *crowd = arg;
    bool is_new = false;
    int me;

    enum gr_err err = grc_exclusive_enter("a", KEY, &me, grc_mono_ms() + 60, &is_new);
    if (err == GR_OK) {
        assert_true(is_new);
        assert_int_equal(atomic_fetch_add(&crowd->inside, 1), 0);
        grc_wait_until(grc_mono_ms() + 1, GRC_WAITS_PAUSE);
        atomic_fetch_add(&crowd->turns, 1);
        atomic_fetch_sub(&crowd->inside, 1);
        grc_exclusive_leave("a", KEY);
    } else {
        assert_int_equal(err, GR_ERR_TIMEOUT);
        atomic_fetch_add(&crowd->late, 1);
    }
    atomic_fetch_add(&crowd->ended, 1);
}

/* There are more calls than workers. Calls that wait hold no worker, so the call that has the key
 * can continue. */
static void test_crowd_takes_turns(void **state)
{
    struct crowd crowd = {.loop = grc_loop_new()};
    struct loop_workers workers;

    (void)state;
    loop_workers_start(&workers, crowd.loop, 2);
    for (unsigned i = 0; i < CALLS; i++)
        assert_true(grc_fiber_start(crowd.loop, take_turn, &crowd));
    while (atomic_load(&crowd.ended) < CALLS)
        poll(NULL, 0, 1);
    loop_workers_stop(&workers);
    assert_int_equal(atomic_load(&crowd.turns) + atomic_load(&crowd.late), CALLS);
    assert_true(atomic_load(&crowd.turns) > 0);
    assert_int_equal(grc_exclusive_count(), 0);
    grc_loop_free(crowd.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holder_has_it_until_it_leaves),
        cmocka_unit_test(test_crowd_takes_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
