/*
 * core/loop: what calls wait for. Random numbers decide which event comes next for a few dozen
 * fibers. A fiber begins to wait for bytes, in a queue, or for a time that never comes. Bytes
 * arrive; a fiber is woken, or is cancelled by its handle or by a handle that is out of date; its
 * connection is closed and made again. When nothing moves any more, a model says which fibers must
 * have gone on and why, and which must still wait. Everything is done by one thread, so that a seed
 * repeats a run: GR_SEED=7 GR_STEPS=5000000 build/tests/unit/test_waits
 */
#include "base/clock.h"
#include "loop/fiber.h"
#include "loop/wait.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CALLS 40u
#define QUEUES 3u
#define STEPS 100000u

enum phase { IDLE, WAITS, WENT_ON };
enum thing { BYTES, QUEUE, NEVER, THINGS };

struct call {
    struct model *model;
    /* what the model expects */
    enum phase phase;
    enum thing thing;
    unsigned queue;
    uint64_t came; /* order of arrival in the queue */
    bool shielded;
    bool has_bytes; /* the bytes that it waits for have arrived */
    bool is_woken;
    bool is_cancelled;
    /* what happened */
    enum grc_woken woken;
    struct grc_fiber_ref ref;
    struct grc_fiber_ref old_ref; /* of a call that has ended */
    int ends[2];
    struct grc_watch *watch;
};

struct model {
    struct grc_loop *loop;
    uint64_t seed;
    uint64_t random;
    uint64_t step;
    uint64_t arrivals;
    uint64_t outcomes[GRC_WOKEN_FAILED + 1];
    pthread_mutex_t lock;
    struct grc_queue queues[QUEUES];
    struct call calls[CALLS];
};

/* splitmix64 */
static uint64_t draw(struct model *model, uint64_t below)
{
    uint64_t value = model->random += 0x9e3779b97f4a7c15u;

    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return (value ^ (value >> 31)) % below;
}

static void expect(const struct model *model, const struct call *call, bool holds, const char *what)
{
    if (!holds)
        fail_msg("GR_SEED=%" PRIu64 " step %" PRIu64 " call %d: %s", model->seed, model->step,
                 call ? (int)(call - model->calls) : -1, what);
}

/* --- the calls --- */

static void connect_anew(struct call *call)
{
    if (call->watch) {
        grc_watch_close(call->watch);
        close(call->ends[0]);
        close(call->ends[1]);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, call->ends), 0);
    call->watch = grc_watch_open(call->model->loop, call->ends[0]);
    assert_non_null(call->watch);
    call->has_bytes = false;
}

static enum grc_woken wait_for_bytes(struct call *call)
{
    enum grc_woken woken = GRC_WOKEN_READY;
    char byte;

    while (woken == GRC_WOKEN_READY && read(call->ends[0], &byte, 1) < 0)
        woken = grc_wait_watch(call->watch, GRC_READ, GRC_NEVER_MS, GRC_WAITS_UPSTREAM);
    return woken;
}

static enum grc_woken wait_in_queue(struct call *call)
{
    struct model *model = call->model;

    pthread_mutex_lock(&model->lock);
    enum grc_woken woken =
        grc_queue_wait(&model->queues[call->queue], &model->lock, GRC_NEVER_MS, GRC_WAITS_SHARED);
    pthread_mutex_unlock(&model->lock);
    return woken;
}

static void be_call(void *arg)
{
    struct call *call = arg;

    call->ref = grc_fiber_ref();
    grc_fiber_shield(call->shielded);
    switch (call->thing) {
    case BYTES:
        call->woken = wait_for_bytes(call);
        break;
    case QUEUE:
        call->woken = wait_in_queue(call);
        break;
    default:
        call->woken = grc_wait_until(GRC_NEVER_MS, GRC_WAITS_PAUSE);
        break;
    }
    call->phase = WENT_ON;
}

/* --- the events --- */

static void begin(struct model *model, struct call *call)
{
    call->thing = (enum thing)draw(model, THINGS);
    call->queue = (unsigned)draw(model, QUEUES);
    call->shielded = call->thing != NEVER && draw(model, 8) == 0;
    call->came = ++model->arrivals;
    call->is_woken = call->is_cancelled = false;
    call->phase = WAITS;
    assert_true(grc_fiber_start(model->loop, be_call, call));
}

static void send_byte(struct call *call)
{
    if (call->has_bytes)
        return;
    assert_int_equal(write(call->ends[1], "x", 1), 1);
    call->has_bytes = true;
}

/* Wakes the call that came first of those whose wait nothing has ended yet. A cancelled call may
 * still be in the queue, and is then both woken and cancelled. */
static void wake_one(struct model *model, unsigned queue)
{
    struct call *first = NULL;

    for (size_t i = 0; i < CALLS; i++) {
        struct call *call = &model->calls[i];

        if (call->phase == WAITS && call->thing == QUEUE && call->queue == queue &&
            !call->is_woken && (!first || call->came < first->came))
            first = call;
    }
    pthread_mutex_lock(&model->lock);
    bool woke = grc_queue_wake(&model->queues[queue]);
    pthread_mutex_unlock(&model->lock);
    expect(model, first, woke == (first != NULL), "the queue is not what the model says");
    if (first)
        first->is_woken = true;
}

static void cancel(struct model *model, struct call *call)
{
    if (draw(model, 4) == 0) {
        grc_fiber_cancel(call->old_ref); /* this must reach no call */
        return;
    }
    grc_fiber_cancel(call->ref);
    if (call->phase == WAITS)
        call->is_cancelled = true;
}

static void act(struct model *model)
{
    struct call *call = &model->calls[draw(model, CALLS)];

    switch (draw(model, 8)) {
    case 0:
    case 1:
    case 2:
        if (call->phase == IDLE)
            begin(model, call);
        break;
    case 3:
        send_byte(call);
        break;
    case 4:
        wake_one(model, (unsigned)draw(model, QUEUES));
        break;
    case 5:
        if (call->phase != WENT_ON)
            cancel(model, call);
        break;
    case 6:
        if (call->phase == IDLE || call->thing != BYTES)
            connect_anew(call);
        break;
    default:
        grc_loop_step(model->loop, 0);
        break;
    }
}

/* --- what must hold after each step --- */

static bool must_go_on(const struct call *call)
{
    return (call->thing == BYTES && call->has_bytes) || call->is_woken ||
           (call->is_cancelled && !call->shielded);
}

static void check(struct model *model, struct call *call)
{
    if (call->phase == WAITS)
        expect(model, call, !must_go_on(call), "it still waits");
    if (call->phase != WENT_ON)
        return;
    model->outcomes[call->woken]++;
    expect(model, call, must_go_on(call), "it went on for no reason");
    if (call->woken == GRC_WOKEN_READY)
        expect(model, call, call->is_woken || (call->thing == BYTES && call->has_bytes),
               "what it waited for has not come");
    else
        expect(model, call,
               call->woken == GRC_WOKEN_CANCELLED && call->is_cancelled && !call->shielded &&
                   !call->is_woken,
               "it was not cancelled");
    if (call->thing == BYTES && call->woken == GRC_WOKEN_READY)
        call->has_bytes = false; /* it read them */
    call->old_ref = call->ref;
    call->phase = IDLE;
}

static void settle(struct model *model)
{
    int64_t waiting = 0, counted = 0;

    /* Each step handles one pending item, and a few events at most. */
    for (size_t i = 0; i < 2 * CALLS + 4; i++)
        grc_loop_step(model->loop, 0);
    for (size_t i = 0; i < CALLS; i++) {
        check(model, &model->calls[i]);
        waiting += model->calls[i].phase == WAITS;
    }
    for (enum grc_waits what = 0; what < GRC_WAITS_COUNT; what++)
        counted += grc_waits_now(what);
    expect(model, NULL, waiting == counted, "the figures do not say how many wait");
}

static void end_all(struct model *model)
{
    for (size_t i = 0; i < CALLS; i++) {
        struct call *call = &model->calls[i];

        if (call->phase == WAITS && call->thing == BYTES)
            send_byte(call);
        else if (call->phase == WAITS && call->thing == NEVER)
            call->is_cancelled = (grc_fiber_cancel(call->ref), true);
    }
    for (unsigned queue = 0; queue < QUEUES; queue++) {
        for (size_t i = 0; i < CALLS; i++)
            wake_one(model, queue);
    }
    settle(model);
    for (size_t i = 0; i < CALLS; i++) {
        expect(model, &model->calls[i], model->calls[i].phase == IDLE, "it cannot be ended");
        grc_watch_close(model->calls[i].watch);
        close(model->calls[i].ends[0]);
        close(model->calls[i].ends[1]);
    }
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_nothing_is_lost_or_told_twice(void **state)
{
    struct model *model = calloc(1, sizeof(*model));
    uint64_t steps = number_from("GR_STEPS", STEPS);

    (void)state;
    assert_non_null(model);
    model->seed = model->random = number_from("GR_SEED", (uint64_t)grc_mono_us());
    model->loop = grc_loop_new();
    pthread_mutex_init(&model->lock, NULL);
    for (size_t i = 0; i < CALLS; i++) {
        model->calls[i].model = model;
        connect_anew(&model->calls[i]);
    }
    for (model->step = 0; model->step < steps; model->step++) {
        act(model);
        if (draw(model, 16) == 0)
            settle(model);
    }
    settle(model);
    end_all(model);
    assert_true(model->outcomes[GRC_WOKEN_READY] > steps / 100);
    assert_true(model->outcomes[GRC_WOKEN_CANCELLED] > steps / 100);
    pthread_mutex_destroy(&model->lock);
    grc_loop_free(model->loop);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_is_lost_or_told_twice)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
