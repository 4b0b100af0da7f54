/* core/loop: the epoll instance that the workers share, watches, and timers */
#include "base/clock.h"
#include "loop/timer.h"
#include "loop/watch.h"
#include "unit/loop_workers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TIMERS 500

/* --- timers --- */

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 8;
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Sets, moves and clears timers at random. All that are left must run, in the right order. */
static void test_timers_come_in_order(void **state)
{
    struct grc_timers *timers = grc_timers_new();
    struct grc_timer *timer = calloc(TIMERS, sizeof(*timer));
    bool is_set[TIMERS] = {false};
    unsigned seed = 7, left = 0;
    int64_t last_ms = -1;
    bool set;

    (void)state;
    assert_non_null(timer);
    for (unsigned i = 0; i < 20 * TIMERS; i++) {
        unsigned at = next_random(&seed) % TIMERS;

        if (next_random(&seed) % 3 == 0) {
            assert_int_equal(grc_timers_clear(timers, &timer[at]), is_set[at]);
            is_set[at] = false;
        } else {
            grc_timers_set(timers, &timer[at], next_random(&seed) % 1000, nothing, &timer[at],
                           &set);
            assert_true(set);
            is_set[at] = true;
        }
    }
    for (unsigned i = 0; i < TIMERS; i++)
        left += is_set[i];
    assert_true(left > 100);
    for (; left > 0; left--) {
        int64_t next_ms = grc_timers_next_ms(timers);
        grc_timer_fn *fn = NULL;
        void *arg = NULL;

        assert_true(next_ms >= last_ms && next_ms < 1000);
        assert_false(grc_timers_take(timers, next_ms - 1, &fn, &arg));
        assert_true(grc_timers_take(timers, next_ms, &fn, &arg));
        assert_ptr_equal(fn, nothing);
        assert_int_equal(((struct grc_timer *)arg)->due_ms, next_ms);
        assert_true(is_set[(struct grc_timer *)arg - timer]);
        is_set[(struct grc_timer *)arg - timer] = false;
        last_ms = next_ms;
    }
    assert_true(grc_timers_next_ms(timers) == GRC_NEVER_MS);
    free(timer);
    grc_timers_free(timers);
}

static void note_time(void *arg)
{
    *(int64_t *)arg = grc_mono_ms();
}

static void test_step_sleeps_until_a_timer_is_due(void **state)
{
    struct grc_loop *loop = grc_loop_new();
    struct grc_timer timer = {0};
    int64_t due_ms = grc_mono_ms() + 30;
    int64_t ran_ms = 0;

    (void)state;
    assert_true(grc_loop_timer(loop, &timer, due_ms, note_time, &ran_ms));
    while (ran_ms == 0)
        grc_loop_step(loop, -1);
    assert_true(ran_ms >= due_ms);
    assert_false(grc_loop_timer_clear(loop, &timer));
    grc_loop_free(loop);
}

static void set_flag(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
}

/* A worker that sleeps for a later timer is woken for the earlier one. */
static void test_earlier_timer_wakes_a_sleeper(void **state)
{
    struct grc_loop *loop = grc_loop_new();
    struct loop_workers workers;
    struct grc_timer late = {0}, soon = {0};
    atomic_bool ran = false;
    int64_t begin_ms = grc_mono_ms();

    (void)state;
    assert_true(grc_loop_timer(loop, &late, begin_ms + 3600000, nothing, NULL));
    loop_workers_start(&workers, loop, 1);
    assert_true(grc_loop_timer(loop, &soon, grc_mono_ms() + 5, set_flag, &ran));
    while (!atomic_load(&ran))
        usleep(200);
    loop_workers_stop(&workers);
    assert_true(grc_loop_timer_clear(loop, &late));
    grc_loop_free(loop);
}

/* --- watches --- */

struct told {
    unsigned times;
    uint32_t events;
};

static void tell(void *arg, uint32_t events)
{
    struct told *told = arg;

    told->times++;
    told->events = events;
}

static void pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
}

/* Runs the loop until nothing is ready any more. */
static void settle(struct grc_loop *loop)
{
    for (int i = 0; i < 5; i++)
        grc_loop_step(loop, 0);
}

static void test_event_is_told_once_and_flags_are_kept(void **state)
{
    struct grc_loop *loop = grc_loop_new();
    struct told told = {0};
    int ends[2];

    (void)state;
    pair(ends);
    struct grc_watch *watch = grc_watch_open(loop, ends[0]);

    assert_non_null(watch);
    assert_int_equal(grc_watch_fd(watch), ends[0]);
    assert_true(grc_watch_arm(watch, GRC_READ, tell, &told));
    settle(loop);
    assert_int_equal(told.times, 0);
    assert_int_equal(write(ends[1], "a", 1), 1);
    settle(loop);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.events, GRC_READ);
    assert_false(grc_watch_disarm(watch));

    /* Without a wait: the flag stays until the next wait. */
    assert_int_equal(write(ends[1], "b", 1), 1);
    settle(loop);
    assert_int_equal(told.times, 1);
    assert_false(grc_watch_arm(watch, GRC_READ, tell, &told));
    assert_true(grc_watch_arm(watch, GRC_READ, tell, &told));
    assert_true(grc_watch_disarm(watch));
    settle(loop);
    assert_int_equal(told.times, 1);
    grc_watch_close(watch);
    close(ends[0]);
    close(ends[1]);
    grc_loop_free(loop);
}

static void test_room_to_write_and_hangup(void **state)
{
    struct grc_loop *loop = grc_loop_new();
    struct told told = {0};
    char block[4096] = {0};
    int ends[2];

    (void)state;
    pair(ends);
    struct grc_watch *watch = grc_watch_open(loop, ends[0]);

    while (write(ends[0], block, sizeof(block)) > 0)
        continue;
    assert_true(grc_watch_arm(watch, GRC_WRITE, tell, &told));
    settle(loop);
    assert_int_equal(told.times, 0);
    while (read(ends[1], block, sizeof(block)) > 0)
        continue;
    settle(loop);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.events, GRC_WRITE);

    assert_true(grc_watch_arm(watch, GRC_HANGUP, tell, &told));
    assert_int_equal(write(ends[1], "a", 1), 1); /* does not hang up */
    settle(loop);
    assert_int_equal(told.times, 1);
    assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
    settle(loop);
    assert_int_equal(told.times, 2);
    assert_int_equal(told.events, GRC_HANGUP);
    /* The notification is kept. */
    assert_false(grc_watch_arm(watch, GRC_HANGUP, tell, &told));
    assert_false(grc_watch_arm(watch, GRC_HANGUP, tell, &told));
    grc_watch_close(watch);
    close(ends[0]);
    close(ends[1]);
    grc_loop_free(loop);
}

/* An event that was on its way when the watch was closed must not reach the next user of the watch
 * and of the descriptor's number. */
static void test_stale_event_is_dropped(void **state)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct grc_watches *watches = grc_watches_new(epoll);
    struct epoll_event event;
    struct told told = {0};
    int ends[2];

    (void)state;
    pair(ends);
    struct grc_watch *watch = grc_watches_open(watches, ends[0]);

    assert_int_equal(write(ends[1], "a", 1), 1);
    assert_int_equal(epoll_wait(epoll, &event, 1, 0), 1);
    grc_watch_close(watch);
    assert_ptr_equal(grc_watches_open(watches, ends[1]), watch);
    assert_true(grc_watch_arm(watch, GRC_READ, tell, &told));
    grc_watches_tell(watches, event.data.u64, event.events);
    assert_int_equal(told.times, 0);
    assert_true(grc_watch_disarm(watch));
    grc_watch_close(watch);
    close(ends[0]);
    close(ends[1]);
    grc_watches_free(watches);
    close(epoll);
}

static void test_watch_of_a_bad_descriptor_fails(void **state)
{
    struct grc_loop *loop = grc_loop_new();

    (void)state;
    assert_null(grc_watch_open(loop, -1));
    assert_null(grc_watch_open(loop, 0x7fff));
    grc_watch_close(NULL);
    grc_loop_free(loop);
}

/* An upstream's connection exists longer than the loop that watched it. */
static void test_watch_outlives_its_loop(void **state)
{
    struct grc_loop *loop = grc_loop_new();
    struct told told = {0};
    int ends[2];

    (void)state;
    pair(ends);
    struct grc_watch *one = grc_watch_open(loop, ends[0]);
    struct grc_watch *two = grc_watch_open(loop, ends[1]);

    assert_true(grc_watch_arm(one, GRC_READ, tell, &told));
    grc_loop_free(loop);
    assert_true(grc_watch_disarm(one));
    grc_watch_close(one);
    assert_int_equal(grc_watch_fd(two), ends[1]);
    grc_watch_close(two);
    close(ends[0]);
    close(ends[1]);
}

/* --- many at once --- */

#define PAIRS 40
#define ROUNDS 500

/* Two ends that send one byte back and forth, in callbacks on any worker. */
struct thrower {
    struct end {
        struct thrower *thrower;
        struct grc_watch *watch;
        int fd;
        atomic_bool busy; /* a worker is in its callback */
    } ends[2];
    atomic_uint throws;
    atomic_uint *done;
};

static void catch_byte(void *arg, uint32_t events)
{
    struct end *end = arg;
    struct thrower *thrower = end->thrower;
    char byte;

    (void)events;
    assert_false(atomic_exchange(&end->busy, true));
    for (;;) {
        while (read(end->fd, &byte, 1) == 1) {
            if (atomic_fetch_add(&thrower->throws, 1) + 1 == ROUNDS)
                atomic_fetch_add(thrower->done, 1);
            else if (atomic_load(&thrower->throws) < ROUNDS)
                assert_int_equal(write(end->fd, &byte, 1), 1);
        }
        atomic_store(&end->busy, false);
        if (grc_watch_arm(end->watch, GRC_READ, catch_byte, end))
            return;
        assert_false(atomic_exchange(&end->busy, true));
    }
}

static void test_workers_share_the_events(void **state)
{
    struct grc_loop *loop = grc_loop_new();
    struct thrower *throwers = calloc(PAIRS, sizeof(*throwers));
    struct loop_workers workers;
    atomic_uint done = 0;

    (void)state;
    assert_non_null(throwers);
    loop_workers_start(&workers, loop, 4);
    for (unsigned i = 0; i < PAIRS; i++) {
        int ends[2];

        pair(ends);
        throwers[i].done = &done;
        for (unsigned k = 0; k < 2; k++) {
            struct end *end = &throwers[i].ends[k];

            end->thrower = &throwers[i];
            end->fd = ends[k];
            end->watch = grc_watch_open(loop, ends[k]);
            assert_true(grc_watch_arm(end->watch, GRC_READ, catch_byte, end));
        }
        assert_int_equal(write(ends[0], "x", 1), 1);
    }
    while (atomic_load(&done) < PAIRS)
        usleep(1000);
    loop_workers_stop(&workers);
    for (unsigned i = 0; i < PAIRS; i++) {
        for (unsigned k = 0; k < 2; k++) {
            grc_watch_close(throwers[i].ends[k].watch);
            close(throwers[i].ends[k].fd);
        }
    }
    free(throwers);
    grc_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_come_in_order),
        cmocka_unit_test(test_step_sleeps_until_a_timer_is_due),
        cmocka_unit_test(test_earlier_timer_wakes_a_sleeper),
        cmocka_unit_test(test_event_is_told_once_and_flags_are_kept),
        cmocka_unit_test(test_room_to_write_and_hangup),
        cmocka_unit_test(test_stale_event_is_dropped),
        cmocka_unit_test(test_watch_of_a_bad_descriptor_fails),
        cmocka_unit_test(test_watch_outlives_its_loop),
        cmocka_unit_test(test_workers_share_the_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
