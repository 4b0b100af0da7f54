/* The threads of rig that hash passwords: their results are right, their queue has a limit, and
 * their priority is low. */
#include "../../plugins/rig/rig.h"
#include "base/secure.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#define CALLERS 8

/* rig lets the host digest passwords of the maximum length. The digest function of these tests
 * waits until the gate is open, which keeps the thread busy. */
static sem_t gate;
static atomic_int held;
static atomic_int niceness;
static atomic_int blocking_at_work;
static atomic_int blocking; /* callers that have announced that they wait */

static void digest(gr_str bytes, unsigned char ret_digest[32])
{
    atomic_store(&niceness, getpriority(PRIO_PROCESS, 0));
    atomic_store(&blocking_at_work, atomic_load(&blocking));
    atomic_fetch_add(&held, 1);
    sem_wait(&gate);
    memset(ret_digest, bytes.ptr[0], 32);
}

static void announce(bool begins)
{
    atomic_fetch_add(&blocking, begins ? 1 : -1);
}

static const struct gr_host host = {.blocking = announce,
                                    .sha256 = digest,
                                    .hex = grc_hex,
                                    .secret_equal = grc_secret_equal,
                                    .wipe = grc_wipe};

static struct rig_hasher *start(int64_t threads, int64_t queue_max)
{
    struct rig_hasher_settings settings = {threads, queue_max, 4};
    struct rig_hasher *hasher = rig_hasher_new(&host, &settings);

    assert_non_null(hasher);
    assert_true(rig_hasher_start(hasher));
    return hasher;
}

static void end(struct rig_hasher *hasher)
{
    rig_hasher_stop(hasher);
    rig_hasher_free(hasher);
}

struct caller {
    pthread_t thread;
    struct rig_hasher *hasher;
    gr_str password;
    enum gr_err err;
    char hash[RIG_HASH_SIZE];
};

static void *make_one(void *arg)
{
    struct caller *caller = arg;

    caller->err = rig_hasher_make(caller->hasher, caller->password, caller->hash);
    return NULL;
}

static void *make_and_verify(void *arg)
{
    struct caller *caller = arg;
    bool right = false;

    make_one(caller);
    if (caller->err != GR_OK)
        return NULL;
    caller->err = rig_hasher_verify(caller->hasher, caller->password, caller->hash, &right);
    if (caller->err == GR_OK && !right)
        caller->err = GR_ERR_INTERNAL;
    return NULL;
}

static void every_caller_gets_its_result(void **unused)
{
    struct rig_hasher *hasher = start(2, CALLERS);
    struct caller callers[CALLERS];

    (void)unused;
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i].hasher = hasher;
        callers[i].password = GR_STR("correct horse");
        assert_int_equal(pthread_create(&callers[i].thread, NULL, make_and_verify, &callers[i]), 0);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].err, GR_OK);
        assert_int_equal(strncmp(callers[i].hash, "$2b$04$", 7), 0);
    }
    end(hasher);
}

static void the_wrong_password_is_not_right(void **unused)
{
    struct rig_hasher *hasher = start(1, 1);
    char hash[RIG_HASH_SIZE];
    bool right = true;

    (void)unused;
    assert_int_equal(rig_hasher_make(hasher, GR_STR("correct horse"), hash), GR_OK);
    assert_int_equal(rig_hasher_verify(hasher, GR_STR("wrong horse"), hash, &right), GR_OK);
    assert_false(right);
    right = true;
    assert_int_equal(rig_hasher_verify(hasher, GR_STR("correct horse"), NULL, &right), GR_OK);
    assert_false(right);
    end(hasher);
}

/* --- while a thread is busy --- */

static char longest[RIG_PASSWORD_MAX_BYTES];

static void wait_held(int count)
{
    while (atomic_load(&held) < count)
        sched_yield();
}

static void the_threads_give_way(void **unused)
{
    struct rig_hasher *hasher = start(1, 1);
    char hash[RIG_HASH_SIZE];
    int own = getpriority(PRIO_PROCESS, 0);
    int lower = own + RIG_HASHER_NICENESS;

    (void)unused;
    sem_post(&gate);
    assert_int_equal(rig_hasher_make(hasher, (gr_str){longest, sizeof(longest)}, hash), GR_OK);
    assert_int_equal(strncmp(hash, "$y$", 3), 0);
    assert_int_equal(atomic_load(&niceness), lower < 19 ? lower : 19);
    assert_int_equal(atomic_load(&blocking_at_work), 1);
    assert_int_equal(atomic_load(&blocking), 0);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), own);
    end(hasher);
}

static void *post_gate(void *unused)
{
    (void)unused;
    sem_post(&gate);
    return NULL;
}

/* The gate may open before or after the stop has begun, and the result must be right in both
 * cases. */
static void a_stop_finishes_what_is_in_progress(void **unused)
{
    (void)unused;
    for (int round = 0; round < 5; round++) {
        struct rig_hasher *hasher = start(1, 1);
        struct caller first = {.hasher = hasher, .password = {longest, sizeof(longest)}};
        pthread_t opener;

        atomic_store(&held, 0);
        assert_int_equal(pthread_create(&first.thread, NULL, make_one, &first), 0);
        wait_held(1);
        assert_int_equal(pthread_create(&opener, NULL, post_gate, NULL), 0);
        rig_hasher_stop(hasher);
        pthread_join(opener, NULL);
        pthread_join(first.thread, NULL);
        assert_int_equal(first.err, GR_OK);
        rig_hasher_free(hasher);
    }
}

static void more_than_may_wait_are_refused(void **unused)
{
    struct rig_hasher *hasher = start(1, 0);
    struct caller first = {.hasher = hasher, .password = {longest, sizeof(longest)}};
    char hash[RIG_HASH_SIZE];

    (void)unused;
    atomic_store(&held, 0);
    assert_int_equal(pthread_create(&first.thread, NULL, make_one, &first), 0);
    wait_held(1);
    assert_int_equal(rig_hasher_make(hasher, GR_STR("short"), hash), GR_ERR_OVERLOAD);
    sem_post(&gate);
    pthread_join(first.thread, NULL);
    assert_int_equal(first.err, GR_OK);
    assert_int_equal(rig_hasher_make(hasher, GR_STR("short"), hash), GR_OK);
    end(hasher);
}

static int open_gate(void **unused)
{
    (void)unused;
    memset(longest, 'x', sizeof(longest));
    return sem_init(&gate, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_caller_gets_its_result),
        cmocka_unit_test(the_wrong_password_is_not_right),
        cmocka_unit_test(the_threads_give_way),
        cmocka_unit_test(a_stop_finishes_what_is_in_progress),
        cmocka_unit_test(more_than_may_wait_are_refused),
    };

    return cmocka_run_group_tests(tests, open_gate, NULL);
}
