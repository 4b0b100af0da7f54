/* core/loop: how many workers run at the same time, and which continue when one blocks */
#include "base/clock.h"
#include "loop/fiber.h"
#include "loop/turn.h"
#include "loop/wait.h"
#include "unit/loop_workers.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WORKERS 8
#define AT_ONCE 2
#define HABIT_MAX 4

struct setup {
    struct grc_loop *loop;
    struct loop_workers workers;
};

static int start_with(void **state, int64_t patience_ms)
{
    struct setup *setup = calloc(1, sizeof(*setup));

    *state = setup;
    if (!setup)
        return -1;
    setup->loop = grc_loop_new();
    if (!setup->loop || !grc_turns_begin(setup->loop, AT_ONCE, HABIT_MAX, patience_ms))
        return -1;
    loop_workers_start(&setup->workers, setup->loop, WORKERS);
    return 0;
}

static int start(void **state)
{
    return start_with(state, GRC_TURN_PATIENCE_MS);
}

static int start_patient(void **state)
{
    return start_with(state, 3600000);
}

static int end(void **state)
{
    struct setup *setup = *state;

    loop_workers_stop(&setup->workers);
    grc_loop_free(setup->loop);
    free(setup);
    return 0;
}

/* Work for one worker. */
struct job {
    struct grc_loop *loop;
    int64_t block_ms;   /* how long it blocks; -1: until released */
    int64_t compute_ms; /* how long it keeps a processor busy */
    bool announce;
    struct grc_habit *habit; /* NULL: none is kept */
    atomic_bool let_go;
    unsigned allowed;     /* how many may run, if they are counted */
    atomic_uint *running; /* NULL: they are not; else how many do now */
    atomic_uint *crowded; /* how often more did than allowed */
    atomic_bool done;
};

static void compute(const struct job *job)
{
    int64_t end_ms = grc_mono_ms() + job->compute_ms;

    while (grc_mono_ms() < end_ms)
        continue;
}

static void do_job(void *arg)
{
    struct job *job = arg;

    if (job->habit)
        grc_habit_begin(job->habit);
    if (job->running && atomic_fetch_add(job->running, 1) + 1 > job->allowed)
        atomic_fetch_add(job->crowded, 1);
    if (job->compute_ms)
        compute(job);
    if (job->announce)
        grc_block_begin();
    while (job->block_ms < 0 && !atomic_load(&job->let_go))
        poll(NULL, 0, 1);
    if (job->block_ms > 0)
        poll(NULL, 0, (int)job->block_ms);
    if (job->announce)
        grc_block_end();
    if (job->running)
        atomic_fetch_sub(job->running, 1);
    if (job->habit)
        grc_habit_end(job->habit);
    atomic_store(&job->done, true);
}

/* On a fiber, so that the job's goes to a worker and not to the thread of the test. */
static void pass_on(void *arg)
{
    struct job *job = arg;

    if (!grc_fiber_start(job->loop, do_job, job))
        abort();
}

static void start_job(struct grc_loop *loop, struct job *job)
{
    job->loop = loop;
    assert_true(grc_fiber_start(loop, pass_on, job));
}

static void wait_for(atomic_bool *flag)
{
    while (!atomic_load(flag))
        poll(NULL, 0, 1);
}

static void test_no_more_run_than_have_a_turn(void **state)
{
    struct setup *setup = *state;
    static struct job jobs[64];
    atomic_uint running = 0, crowded = 0;

    for (size_t i = 0; i < 64; i++) {
        jobs[i] = (struct job){
            .compute_ms = 1, .allowed = AT_ONCE, .running = &running, .crowded = &crowded};
        start_job(setup->loop, &jobs[i]);
    }
    for (size_t i = 0; i < 64; i++)
        wait_for(&jobs[i].done);
    assert_int_equal(atomic_load(&crowded), 0);
}

/* Runs something quick while count workers block. */
static void block(struct setup *setup, size_t count, bool announce, struct grc_habit *habit)
{
    static struct job blockers[WORKERS - 1];
    struct job quick = {0};

    for (size_t i = 0; i < count; i++) {
        blockers[i] = (struct job){.block_ms = -1, .announce = announce, .habit = habit};
        start_job(setup->loop, &blockers[i]);
    }
    start_job(setup->loop, &quick);
    wait_for(&quick.done);
    for (size_t i = 0; i < count; i++)
        assert_false(atomic_load(&blockers[i].done));
    for (size_t i = 0; i < count; i++)
        atomic_store(&blockers[i].let_go, true);
    for (size_t i = 0; i < count; i++)
        wait_for(&blockers[i].done);
}

/* This would wait for ever if a worker that blocks kept its turn. */
static void test_who_announces_a_block_gives_its_turn(void **state)
{
    block(*state, WORKERS - 1, true, NULL);
}

static void test_monitor_takes_the_turn_of_who_says_nothing(void **state)
{
    block(*state, WORKERS - 1, false, NULL);
}

/* This would wait for ever if work that has blocked before kept its turn until the monitor takes it
 * away. */
static void test_what_has_blocked_gives_its_turn_at_once(void **state)
{
    struct grc_habit habit = {.blocks = 1};

    block(*state, HABIT_MAX + AT_ONCE - 1, false, &habit);
}

/* Keeps every worker busy with the job, so that the monitor looks, until check accepts the habit.
 */
static void repeat_until(struct setup *setup, struct job job, bool (*check)(int blocks))
{
    int blocks;

    do {
        struct job jobs[WORKERS];

        for (size_t i = 0; i < WORKERS; i++) {
            jobs[i] = job;
            start_job(setup->loop, &jobs[i]);
        }
        for (size_t i = 0; i < WORKERS; i++)
            wait_for(&jobs[i].done);
        blocks = atomic_load(&job.habit->blocks);
    } while (!check(blocks));
}

static bool known(int blocks)
{
    return blocks > 0;
}

static bool unknown(int blocks)
{
    return blocks == 0;
}

static void test_a_habit_is_learnt_and_forgotten(void **state)
{
    struct grc_habit habit = {0};

    repeat_until(*state, (struct job){.block_ms = 10 * GRC_TURN_PATIENCE_MS, .habit = &habit},
                 known);
    repeat_until(*state, (struct job){.habit = &habit}, unknown);
}

/* A handler that computes for long must wait for its turn, or all workers would run at once. */
static void test_computing_is_no_blocking(void **state)
{
    struct grc_habit habit = {.blocks = 4};

    repeat_until(*state, (struct job){.compute_ms = 10 * GRC_TURN_PATIENCE_MS, .habit = &habit},
                 unknown);
}

/* The other workers are for work that does not block. */
static void test_only_some_workers_run_by_habit(void **state)
{
    struct setup *setup = *state;
    static struct job jobs[4 * WORKERS];
    atomic_uint running = 0, crowded = 0;
    struct grc_habit habit = {.blocks = 1000};

    for (size_t i = 0; i < 4 * WORKERS; i++) {
        jobs[i] = (struct job){.block_ms = 2,
                               .allowed = HABIT_MAX + AT_ONCE,
                               .running = &running,
                               .crowded = &crowded,
                               .habit = &habit};
        start_job(setup->loop, &jobs[i]);
    }
    for (size_t i = 0; i < 4 * WORKERS; i++)
        wait_for(&jobs[i].done);
    assert_int_equal(atomic_load(&crowded), 0);
}

static void test_a_thread_without_turns_may_announce(void **state)
{
    (void)state;
    struct grc_habit habit = {.blocks = 1};

    grc_block_begin();
    grc_block_end();
    grc_habit_begin(&habit);
    grc_habit_end(&habit);
    assert_int_equal(atomic_load(&habit.blocks), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_more_run_than_have_a_turn, start_patient, end),
        cmocka_unit_test_setup_teardown(test_who_announces_a_block_gives_its_turn, start_patient,
                                        end),
        cmocka_unit_test_setup_teardown(test_monitor_takes_the_turn_of_who_says_nothing, start,
                                        end),
        cmocka_unit_test_setup_teardown(test_what_has_blocked_gives_its_turn_at_once, start_patient,
                                        end),
        cmocka_unit_test_setup_teardown(test_a_habit_is_learnt_and_forgotten, start, end),
        cmocka_unit_test_setup_teardown(test_computing_is_no_blocking, start, end),
        cmocka_unit_test_setup_teardown(test_only_some_workers_run_by_habit, start_patient, end),
        cmocka_unit_test(test_a_thread_without_turns_may_announce),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
