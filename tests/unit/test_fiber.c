/* core/loop: fibers and their waits */
#include "base/clock.h"
#include "loop/fiber.h"
#include "loop/stack.h"
#include "loop/wait.h"
#include "unit/loop_workers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WORKERS 4

static int start_loop(void **state)
{
    *state = grc_loop_new();
    return *state ? 0 : -1;
}

static int end_loop(void **state)
{
    grc_loop_free(*state);
    return 0;
}

/* --- one fiber, run by the thread of the test --- */

struct pauser {
    int64_t pause_ms;
    struct grc_fiber *self;
    struct grc_fiber_ref ref;
    enum grc_woken woken;
    int64_t took_ms;
    double kept;
    bool done;
};

static void pause_once(void *arg)
{
    struct pauser *pauser = arg;
    int64_t begin_ms = grc_mono_ms();
    double value = pauser->kept * 3.0;

    pauser->self = grc_fiber_self();
    pauser->ref = grc_fiber_ref();
    pauser->woken = grc_wait_until(begin_ms + pauser->pause_ms, GRC_WAITS_PAUSE);
    pauser->took_ms = grc_mono_ms() - begin_ms;
    pauser->kept = value;
    pauser->done = true;
}

static void test_fiber_parks_and_goes_on(void **state)
{
    struct pauser pauser = {.pause_ms = 20, .kept = 1.5};

    assert_null(grc_fiber_self());
    assert_true(grc_fiber_start(*state, pause_once, &pauser));
    assert_false(pauser.done);
    assert_non_null(pauser.self);
    assert_null(grc_fiber_self());
    assert_int_equal(grc_waits_now(GRC_WAITS_PAUSE), 1);
    while (!pauser.done)
        grc_loop_step(*state, -1);
    assert_int_equal(pauser.woken, GRC_WOKEN_LATE);
    assert_true(pauser.took_ms >= 20);
    assert_true(pauser.kept > 4.4 && pauser.kept < 4.6);
    assert_int_equal(grc_waits_now(GRC_WAITS_PAUSE), 0);
    assert_string_equal(grc_waits_name(GRC_WAITS_PAUSE), "pause");
}

static void test_cancel_ends_the_wait_and_names_one_fiber_only(void **state)
{
    struct pauser pauser = {.pause_ms = 3600000}, next = {.pause_ms = 3600000};

    assert_true(grc_fiber_start(*state, pause_once, &pauser));
    grc_fiber_cancel(pauser.ref);
    while (!pauser.done)
        grc_loop_step(*state, -1);
    assert_int_equal(pauser.woken, GRC_WOKEN_CANCELLED);

    /* Another fiber has the same memory, and the old handle must not reach it. */
    assert_true(grc_fiber_start(*state, pause_once, &next));
    assert_ptr_equal(next.self, pauser.self);
    grc_fiber_cancel(pauser.ref);
    for (int i = 0; i < 5; i++)
        grc_loop_step(*state, 0);
    assert_false(next.done);
    grc_fiber_cancel((struct grc_fiber_ref){0});
    grc_fiber_cancel(next.ref);
    while (!next.done)
        grc_loop_step(*state, -1);
}

static void pause_shielded(void *arg)
{
    grc_fiber_shield(true);
    pause_once(arg);
    grc_fiber_shield(false);
    ((struct pauser *)arg)->woken = grc_wait_until(GRC_NEVER_MS, GRC_WAITS_PAUSE);
}

static void test_shielded_wait_is_not_cancelled(void **state)
{
    struct pauser pauser = {.pause_ms = 20};

    assert_true(grc_fiber_start(*state, pause_shielded, &pauser));
    grc_fiber_cancel(pauser.ref);
    while (!pauser.done)
        grc_loop_step(*state, -1);
    assert_true(pauser.took_ms >= 20);
    assert_int_equal(pauser.woken, GRC_WOKEN_CANCELLED); /* of the wait after the shield */
    assert_false(grc_fiber_shield(true));
    assert_false(grc_fiber_shield(false));
}

struct switches {
    unsigned entered;
    unsigned left;
};

static void count_switch(void *arg, bool enter)
{
    struct switches *switches = arg;

    if (enter)
        switches->entered++;
    else
        switches->left++;
}

static void pause_twice(void *arg)
{
    grc_fiber_on_switch(count_switch, arg);
    grc_wait_until(grc_mono_ms() + 1, GRC_WAITS_PAUSE);
    grc_wait_until(grc_mono_ms() + 1, GRC_WAITS_PAUSE);
}

static void test_switches_are_told(void **state)
{
    struct switches switches = {0};

    assert_true(grc_fiber_start(*state, pause_twice, &switches));
    assert_int_equal(switches.left, 1);
    while (switches.left < 3)
        grc_loop_step(*state, -1);
    assert_int_equal(switches.entered, 2);
}

/* --- the stack --- */

static unsigned char fill_stack(size_t left)
{
    volatile unsigned char block[1024];

    memset((void *)(uintptr_t)block, (int)(left & 0xff), sizeof(block));
    if (left <= sizeof(block) + 128)
        return block[17];
    return (unsigned char)(fill_stack(left - sizeof(block) - 128) + block[5]);
}

static void use_most(void *arg)
{
    fill_stack(GRC_STACK_BYTES * 3 / 4);
    *(bool *)arg = true;
}

static void overrun(void *arg)
{
    *(unsigned char *)arg = fill_stack(GRC_STACK_BYTES * 4);
}

static void test_stack_is_usable_and_guarded(void **state)
{
    bool done = false;
    int status = 0;

    assert_true(grc_fiber_start(*state, use_most, &done));
    assert_true(done);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        unsigned char result = 0;

        close(STDERR_FILENO); /* a sanitizer's report */
        grc_fiber_start(*state, overrun, &result);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

/* --- descriptors --- */

struct reader {
    int fd;
    int64_t deadline_ms;
    enum grc_woken woken;
    atomic_bool done;
};

static void read_one(void *arg)
{
    struct reader *reader = arg;
    char byte;

    reader->woken = GRC_WOKEN_READY;
    while (read(reader->fd, &byte, 1) < 0 && reader->woken == GRC_WOKEN_READY)
        reader->woken = grc_wait_fd(reader->fd, GRC_READ, reader->deadline_ms, GRC_WAITS_UPSTREAM);
    atomic_store(&reader->done, true);
}

static void *read_on_thread(void *arg)
{
    read_one(arg);
    return NULL;
}

static void test_wait_for_a_descriptor(void **state)
{
    struct reader reader = {.deadline_ms = GRC_NEVER_MS};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    reader.fd = ends[0];
    assert_true(grc_fiber_start(*state, read_one, &reader));
    assert_false(atomic_load(&reader.done));
    assert_int_equal(write(ends[1], "a", 1), 1);
    while (!atomic_load(&reader.done))
        grc_loop_step(*state, -1);
    assert_int_equal(reader.woken, GRC_WOKEN_READY);

    reader.deadline_ms = grc_mono_ms() + 10;
    atomic_store(&reader.done, false);
    assert_true(grc_fiber_start(*state, read_one, &reader));
    while (!atomic_load(&reader.done))
        grc_loop_step(*state, -1);
    assert_int_equal(reader.woken, GRC_WOKEN_LATE);
    assert_true(grc_mono_ms() >= reader.deadline_ms);
    close(ends[0]);
    close(ends[1]);
}

static void test_thread_waits_the_same_way(void **state)
{
    struct reader reader = {.deadline_ms = GRC_NEVER_MS};
    pthread_t thread;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    reader.fd = ends[0];
    assert_int_equal(pthread_create(&thread, NULL, read_on_thread, &reader), 0);
    assert_int_equal(write(ends[1], "a", 1), 1);
    pthread_join(thread, NULL);
    assert_int_equal(reader.woken, GRC_WOKEN_READY);

    reader.deadline_ms = grc_mono_ms() + 10;
    read_one(&reader);
    assert_int_equal(reader.woken, GRC_WOKEN_LATE);
    assert_true(grc_mono_ms() >= reader.deadline_ms);
    assert_int_equal(grc_wait_until(grc_mono_ms() + 2, GRC_WAITS_PAUSE), GRC_WOKEN_LATE);
    close(ends[0]);
    close(ends[1]);
}

/* --- queues --- */

struct line {
    pthread_mutex_t lock;
    struct grc_queue queue;
    unsigned came; /* order of arrival and of waking */
    unsigned woken;
    unsigned late;
    bool in_order;
    int64_t deadline_ms;
};

static void stand_in_line(void *arg)
{
    struct line *line = arg;

    pthread_mutex_lock(&line->lock);
    unsigned number = line->came++;
    enum grc_woken woken =
        grc_queue_wait(&line->queue, &line->lock, line->deadline_ms, GRC_WAITS_TURN);
    if (woken == GRC_WOKEN_LATE)
        line->late++;
    else if (line->woken++ != number)
        line->in_order = false;
    pthread_mutex_unlock(&line->lock);
}

static void wake_line(struct line *line, bool all)
{
    pthread_mutex_lock(&line->lock);
    if (all)
        grc_queue_wake_all(&line->queue);
    else
        assert_true(grc_queue_wake(&line->queue));
    pthread_mutex_unlock(&line->lock);
}

static void test_queue_wakes_in_order(void **state)
{
    struct line line = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .in_order = true, .deadline_ms = GRC_NEVER_MS};

    for (int i = 0; i < 5; i++)
        assert_true(grc_fiber_start(*state, stand_in_line, &line));
    assert_int_equal(line.came, 5);
    wake_line(&line, false);
    for (int i = 0; i < 5; i++)
        grc_loop_step(*state, 0);
    assert_int_equal(line.woken, 1);
    wake_line(&line, true);
    while (line.woken < 5)
        grc_loop_step(*state, -1);
    assert_true(line.in_order);
    assert_int_equal(grc_waits_now(GRC_WAITS_TURN), 0);

    line.deadline_ms = grc_mono_ms() + 5;
    assert_true(grc_fiber_start(*state, stand_in_line, &line));
    while (line.late < 1)
        grc_loop_step(*state, -1);
    assert_null(line.queue.first);
    line.deadline_ms = grc_mono_ms() + 5;
    stand_in_line(&line); /* on a thread, without a fiber */
    assert_int_equal(line.late, 2);
    assert_null(line.queue.first);
}

/* --- everything at once, on several workers --- */

#define CALLS 200
#define STEPS 60

/* Fibers that change a counter one after the other, wait for bytes, pause, start other fibers and
 * are cancelled. */
struct crowd {
    struct grc_loop *loop;
    pthread_mutex_t lock;
    struct grc_queue free;
    bool taken;
    uint64_t turns; /* guarded by taken, not by the lock */
    atomic_uint running;
    atomic_uint started;
    atomic_uint cancelled;
    atomic_uint late;
    struct grc_fiber_ref refs[CALLS];
    int ends[CALLS][2];
};

struct member {
    struct crowd *crowd;
    unsigned number;
    unsigned seed;
};

static bool take_turn(struct crowd *crowd)
{
    enum grc_woken woken = GRC_WOKEN_READY;

    pthread_mutex_lock(&crowd->lock);
    while (crowd->taken && woken == GRC_WOKEN_READY)
        woken = grc_queue_wait(&crowd->free, &crowd->lock, GRC_NEVER_MS, GRC_WAITS_TURN);
    bool mine = !crowd->taken && woken == GRC_WOKEN_READY;
    if (mine)
        crowd->taken = true;
    else if (woken != GRC_WOKEN_READY && !crowd->taken)
        grc_queue_wake(&crowd->free); /* a wake for a fiber whose wait was cancelled */
    pthread_mutex_unlock(&crowd->lock);
    return mine;
}

static void leave_turn(struct crowd *crowd)
{
    pthread_mutex_lock(&crowd->lock);
    crowd->taken = false;
    grc_queue_wake(&crowd->free);
    pthread_mutex_unlock(&crowd->lock);
}

static enum grc_woken member_step(struct member *member)
{
    struct crowd *crowd = member->crowd;
    int fd = crowd->ends[member->number][0];
    enum grc_woken woken = GRC_WOKEN_READY;
    char byte;

    member->seed = member->seed * 1103515245u + 12345u;
    switch (member->seed >> 16 & 3) {
    case 0:
        if (!take_turn(crowd))
            return GRC_WOKEN_CANCELLED;
        crowd->turns++;
        woken = grc_wait_until(grc_mono_ms() + (member->seed >> 8 & 1), GRC_WAITS_PAUSE);
        leave_turn(crowd);
        return woken == GRC_WOKEN_LATE ? GRC_WOKEN_READY : woken;
    case 1:
        woken = grc_wait_until(grc_mono_ms() + (member->seed >> 8 & 3), GRC_WAITS_PAUSE);
        return woken == GRC_WOKEN_LATE ? GRC_WOKEN_READY : woken;
    default:
        assert_int_equal(write(crowd->ends[(member->number + 1) % CALLS][1], "x", 1), 1);
        while (read(fd, &byte, 1) < 0 && woken == GRC_WOKEN_READY)
            woken = grc_wait_fd(fd, GRC_READ, grc_mono_ms() + 3, GRC_WAITS_UPSTREAM);
        if (woken == GRC_WOKEN_LATE)
            atomic_fetch_add(&crowd->late, 1);
        return woken == GRC_WOKEN_LATE ? GRC_WOKEN_READY : woken;
    }
}

static void nothing(void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static void be_member(void *arg)
{
    struct member *member = arg;
    struct crowd *crowd = member->crowd;
    enum grc_woken woken = GRC_WOKEN_READY;

    pthread_mutex_lock(&crowd->lock);
    crowd->refs[member->number] = grc_fiber_ref();
    pthread_mutex_unlock(&crowd->lock);
    for (unsigned i = 0; i < STEPS && woken == GRC_WOKEN_READY; i++) {
        woken = member_step(member);
        if (i == STEPS / 2)
            assert_true(grc_fiber_start(crowd->loop, nothing, &crowd->started));
    }
    if (woken == GRC_WOKEN_CANCELLED)
        atomic_fetch_add(&crowd->cancelled, 1);
    else
        assert_int_equal(woken, GRC_WOKEN_READY);
    atomic_fetch_sub(&crowd->running, 1);
}

static void test_crowd_on_several_workers(void **state)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    struct member *members = calloc(CALLS, sizeof(*members));
    struct loop_workers workers;

    assert_non_null(crowd);
    assert_non_null(members);
    crowd->loop = *state;
    pthread_mutex_init(&crowd->lock, NULL);
    for (unsigned i = 0; i < CALLS; i++)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, crowd->ends[i]), 0);
    loop_workers_start(&workers, *state, WORKERS);
    atomic_store(&crowd->running, CALLS);
    for (unsigned i = 0; i < CALLS; i++) {
        members[i] = (struct member){crowd, i, i + 1};
        assert_true(grc_fiber_start(*state, be_member, &members[i]));
    }
    for (unsigned i = 0; i < CALLS; i += 3) {
        pthread_mutex_lock(&crowd->lock);
        struct grc_fiber_ref ref = crowd->refs[i];
        pthread_mutex_unlock(&crowd->lock);
        grc_fiber_cancel(ref);
        usleep(100);
    }
    while (atomic_load(&crowd->running) > 0)
        usleep(1000);
    loop_workers_stop(&workers);
    assert_true(atomic_load(&crowd->cancelled) > 0);
    assert_true(atomic_load(&crowd->started) > 0);
    assert_true(crowd->turns > CALLS);
    assert_null(crowd->free.first);
    for (enum grc_waits what = 0; what < GRC_WAITS_COUNT; what++)
        assert_int_equal(grc_waits_now(what), 0);
    for (unsigned i = 0; i < CALLS; i++) {
        close(crowd->ends[i][0]);
        close(crowd->ends[i][1]);
    }
    pthread_mutex_destroy(&crowd->lock);
    free(members);
    free(crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fiber_parks_and_goes_on, start_loop, end_loop),
        cmocka_unit_test_setup_teardown(test_cancel_ends_the_wait_and_names_one_fiber_only,
                                        start_loop, end_loop),
        cmocka_unit_test_setup_teardown(test_shielded_wait_is_not_cancelled, start_loop, end_loop),
        cmocka_unit_test_setup_teardown(test_switches_are_told, start_loop, end_loop),
        cmocka_unit_test_setup_teardown(test_stack_is_usable_and_guarded, start_loop, end_loop),
        cmocka_unit_test_setup_teardown(test_wait_for_a_descriptor, start_loop, end_loop),
        cmocka_unit_test(test_thread_waits_the_same_way),
        cmocka_unit_test_setup_teardown(test_queue_wakes_in_order, start_loop, end_loop),
        cmocka_unit_test_setup_teardown(test_crowd_on_several_workers, start_loop, end_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
