#include "loop/fiber_internal.h"

#include "base/thread.h"
#include "loop/loop.h"
#include "loop/sanitizer.h"
#include "loop/stack.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* This number of unused fibers keep the memory of their stacks, about 10 KiB each. */
#define WARM_MAX 256u

/* The state of a fiber is in the two lowest bits of its word, the generation in the upper half. */
enum { RUNNING = 0, ARMED = 1, PARKED = 2, PHASE_MASK = 3 };
#define CANCELLED UINT64_C(4)
#define GENERATION_ONE (UINT64_C(1) << 32)

struct grc_fiber {
    _Atomic uint64_t word;
    struct grc_loop *loop;
    struct grc_stack stack;
    struct grc_stack_place place;    /* where the fiber continues */
    struct grc_stack_place *resumer; /* where the thread that runs it continues */
    struct grc_sanitizer_side side;
    struct grc_sanitizer_side *resumer_side;
    void (*run)(void *arg);
    void *arg;
    grc_fiber_switch_fn *on_switch;
    void *on_switch_arg;
    bool ended;
    bool shielded;
    struct grc_timer timer;
    struct grc_fiber *next; /* in the list of unused fibers, or of those handed to the loop */
    struct grc_fiber *all;  /* in the list of all fibers */
};

struct grc_fibers {
    pthread_mutex_t lock;
    struct grc_fiber *warm; /* unused, with the memory of their stacks */
    struct grc_fiber *cold; /* unused, without that memory */
    size_t warm_count;
    struct grc_fiber *all;
};

static _Thread_local struct grc_fiber *current;

/* Not inlined, so that the compiler does not keep the variable's address over a switch: on another
 * thread the address is a different one. */
__attribute__((noinline)) struct grc_fiber *grc_fiber_self(void)
{
    return current;
}

__attribute__((noinline)) static void set_current(struct grc_fiber *fiber)
{
    current = fiber;
}

/* --- unused fibers --- */

struct grc_fibers *grc_fibers_new(void)
{
    struct grc_fibers *fibers = calloc(1, sizeof(*fibers));

    if (!fibers || !grc_mutex_init_short(&fibers->lock)) {
        free(fibers);
        return NULL;
    }
    return fibers;
}

void grc_fibers_free(struct grc_fibers *fibers)
{
    if (!fibers)
        return;
    while (fibers->all) {
        struct grc_fiber *fiber = fibers->all;

        fibers->all = fiber->all;
        grc_stack_free(&fiber->stack);
        free(fiber);
    }
    pthread_mutex_destroy(&fibers->lock);
    free(fibers);
}

static struct grc_fiber *fiber_new(struct grc_loop *loop)
{
    struct grc_fiber *fiber = calloc(1, sizeof(*fiber));

    if (!fiber || !grc_stack_new(&fiber->stack)) {
        free(fiber);
        return NULL;
    }
    fiber->loop = loop;
    return fiber;
}

static struct grc_fiber *pop(struct grc_fibers *fibers)
{
    struct grc_fiber **list = fibers->warm ? &fibers->warm : &fibers->cold;
    struct grc_fiber *fiber = *list;

    if (!fiber)
        return NULL;
    *list = fiber->next;
    if (list == &fibers->warm)
        fibers->warm_count--;
    return fiber;
}

static struct grc_fiber *take(struct grc_loop *loop)
{
    struct grc_fibers *fibers = grc_loop_fibers(loop);

    pthread_mutex_lock(&fibers->lock);
    struct grc_fiber *fiber = pop(fibers);
    pthread_mutex_unlock(&fibers->lock);
    if (fiber)
        return fiber;
    fiber = fiber_new(loop);
    if (!fiber)
        return NULL;
    pthread_mutex_lock(&fibers->lock);
    fiber->all = fibers->all;
    fibers->all = fiber;
    pthread_mutex_unlock(&fibers->lock);
    return fiber;
}

static void give(struct grc_fiber *fiber)
{
    struct grc_fibers *fibers = grc_loop_fibers(fiber->loop);

    atomic_fetch_add(&fiber->word, GENERATION_ONE);
    atomic_fetch_and(&fiber->word, ~CANCELLED);
    grc_stack_end(&fiber->place);
    grc_sanitizer_end(&fiber->side);
    pthread_mutex_lock(&fibers->lock);
    bool warm = fibers->warm_count < WARM_MAX;
    if (warm) {
        fiber->next = fibers->warm;
        fibers->warm = fiber;
        fibers->warm_count++;
    }
    pthread_mutex_unlock(&fibers->lock);
    if (warm)
        return;
    grc_stack_release(&fiber->stack);
    pthread_mutex_lock(&fibers->lock);
    fiber->next = fibers->cold;
    fibers->cold = fiber;
    pthread_mutex_unlock(&fibers->lock);
}

/* --- switching --- */

static void leave(struct grc_fiber *self)
{
    grc_sanitizer_leave(&self->side, self->resumer_side, self->ended);
    grc_stack_switch(&self->place, self->resumer);
    grc_sanitizer_arrive(&self->side, self->resumer_side);
}

static void first(void *arg)
{
    struct grc_fiber *self = arg;

    grc_sanitizer_arrive(&self->side, self->resumer_side);
    self->run(self->arg);
    self->ended = true;
    leave(self);
    abort();
}

static void enter(struct grc_fiber *fiber)
{
    struct grc_stack_place here = {0};
    struct grc_sanitizer_side side;

    grc_sanitizer_here(&side);
    fiber->resumer = &here;
    fiber->resumer_side = &side;
    set_current(fiber);
    if (fiber->on_switch)
        fiber->on_switch(fiber->on_switch_arg, true);
    grc_sanitizer_leave(&side, &fiber->side, false);
    grc_stack_switch(&here, &fiber->place);
    grc_sanitizer_arrive(&side, &fiber->side);
    set_current(NULL);
    if (fiber->on_switch)
        fiber->on_switch(fiber->on_switch_arg, false);
}

/* Lets other threads run the fiber, which has left its stack. Returns false when it was woken
 * meanwhile. */
static bool let_go(struct grc_fiber *fiber)
{
    uint64_t word = atomic_load(&fiber->word);

    while ((word & PHASE_MASK) == ARMED) {
        if (atomic_compare_exchange_weak(&fiber->word, &word, word - ARMED + PARKED))
            return true;
    }
    return false;
}

void grc_fiber_resume(struct grc_fiber *fiber)
{
    assert(!grc_fiber_self());
    do {
        enter(fiber);
        if (fiber->ended) {
            give(fiber);
            return;
        }
    } while (!let_go(fiber));
}

bool grc_fiber_start(struct grc_loop *loop, void (*run)(void *arg), void *arg)
{
    struct grc_fiber *fiber = take(loop);

    if (!fiber)
        return false;
    fiber->run = run;
    fiber->arg = arg;
    fiber->ended = false;
    fiber->shielded = false;
    fiber->on_switch = NULL;
    if (!grc_stack_begin(&fiber->stack, first, fiber, &fiber->place)) {
        give(fiber);
        return false;
    }
    grc_sanitizer_new(&fiber->side, fiber->stack.base, GRC_STACK_BYTES);
    if (grc_fiber_self())
        grc_loop_post(loop, fiber);
    else
        grc_fiber_resume(fiber);
    return true;
}

/* --- waiting --- */

void grc_fiber_arm(struct grc_fiber *self)
{
    atomic_fetch_add(&self->word, ARMED);
}

void grc_fiber_disarm(struct grc_fiber *self)
{
    uint64_t word = atomic_load(&self->word);

    while ((word & PHASE_MASK) != RUNNING &&
           !atomic_compare_exchange_weak(&self->word, &word, word & ~(uint64_t)PHASE_MASK))
        continue;
}

void grc_fiber_park(struct grc_fiber *self)
{
    /* When it was woken already, it goes on without a switch. */
    if ((atomic_load(&self->word) & PHASE_MASK) != RUNNING)
        leave(self);
}

/* Sets the flags and ends the wait, unless the word is of another generation. The result is that of
 * grc_fiber_wake(). */
static bool wake(struct grc_fiber *fiber, uint64_t flags, const uint32_t *generation)
{
    uint64_t word = atomic_load(&fiber->word);

    for (;;) {
        uint64_t phase = word & PHASE_MASK;

        if (generation && (uint32_t)(word >> 32) != *generation)
            return false;
        if (phase == RUNNING && !flags)
            return false;
        if (atomic_compare_exchange_weak(&fiber->word, &word, (word - phase) | flags))
            return phase == PARKED;
    }
}

bool grc_fiber_wake(struct grc_fiber *fiber)
{
    return wake(fiber, 0, NULL);
}

void grc_fiber_cancel(struct grc_fiber_ref ref)
{
    if (ref.fiber && wake(ref.fiber, CANCELLED, &ref.generation))
        grc_loop_post(ref.fiber->loop, ref.fiber);
}

bool grc_fiber_is_cancelled(const struct grc_fiber *fiber)
{
    return (atomic_load(&fiber->word) & CANCELLED) != 0;
}

bool grc_fiber_shield(bool on)
{
    struct grc_fiber *self = grc_fiber_self();
    bool before = self && self->shielded;

    if (self)
        self->shielded = on;
    return before;
}

bool grc_fiber_is_shielded(const struct grc_fiber *self)
{
    return self->shielded;
}

/* --- names and members --- */

struct grc_fiber_ref grc_fiber_ref(void)
{
    struct grc_fiber *self = grc_fiber_self();

    return (struct grc_fiber_ref){self, self ? (uint32_t)(atomic_load(&self->word) >> 32) : 0};
}

void grc_fiber_on_switch(grc_fiber_switch_fn *fn, void *arg)
{
    struct grc_fiber *self = grc_fiber_self();

    if (!self)
        return;
    self->on_switch = fn;
    self->on_switch_arg = arg;
}

struct grc_fiber *grc_fiber_next(const struct grc_fiber *fiber)
{
    return fiber->next;
}

void grc_fiber_set_next(struct grc_fiber *fiber, struct grc_fiber *next)
{
    fiber->next = next;
}

struct grc_loop *grc_fiber_loop(const struct grc_fiber *fiber)
{
    return fiber->loop;
}

struct grc_timer *grc_fiber_timer(struct grc_fiber *fiber)
{
    return &fiber->timer;
}
