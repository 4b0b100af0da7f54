#include "loop/turn_internal.h"

#include "base/clock.h"
#include "base/thread.h"
#include "loop/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* How often the monitor looks at the workers. */
#define LOOK_MS 5
/* The monitor rests after this many looks in a row that found a worker asleep. */
#define CALM_LOOKS 20u
/* How often it looks at the timers while it rests, if any is set. */
#define REST_MS 100
/* The monitor looks at no more threads than this each time, because it holds the lock meanwhile. */
#define SAMPLES 8u
/* How struct grc_habit counts. Work that blocks more often than it computes for long stays known.
 */
#define HABIT_MOST 16
#define HABIT_BLOCKED 4
#define HABIT_COMPUTED (-4)
#define HABIT_QUICK (-1)
#define STACK_BYTES ((size_t)64 * 1024)

enum rest { AWAKE = 0, NAPS, SLEEPS };

struct worker {
    struct grc_turns *turns;
    atomic_bool has_turn;    /* written with the lock held */
    _Atomic int64_t busy_ms; /* when it began to run something; 0: it sleeps */
    /* What the monitor last saw the worker do, and its busy_ms then. If busy_ms is another one now,
     * the worker has begun something else since. */
    _Atomic enum grc_thread_state seen;
    _Atomic int64_t seen_ms;
    pid_t tid;
    bool blocks;   /* between grc_block_begin() and grc_block_end() */
    bool by_habit; /* runs without a turn, by grc_habit_begin(); guarded by the lock */
    bool listed;   /* in the list of workers that wait for a turn */
    pthread_cond_t granted;
    struct worker *next_waiting;
    struct worker *next; /* in the list of all workers */
};

struct grc_turns {
    struct grc_loop *loop;
    pthread_mutex_t lock; /* guards the members below; the atomic ones are also read without it */
    unsigned at_once;
    unsigned habit_max;
    int64_t patience_ms;
    _Atomic unsigned taken;
    struct worker *waiting; /* last in, first out: that worker's memory is still in the caches */
    _Atomic unsigned waiting_count;
    struct worker *workers;
    unsigned by_habit; /* how many run without a turn by habit */
    atomic_bool stopped;
    _Atomic unsigned *sleepers; /* of the loop */
    pthread_t monitor;
    pthread_cond_t stir; /* wakes the monitor */
    _Atomic int rests;   /* how the monitor rests: enum rest */
};

static _Thread_local struct worker *current;

/* Not inlined, because a fiber may be on another thread each time. */
__attribute__((noinline)) static struct worker *self(void)
{
    return current;
}

__attribute__((noinline)) static void set_self(struct worker *worker)
{
    current = worker;
}

/* --- passing turns on; the lock is held --- */

/* Gives a free turn to a waiting worker. Returns false when no worker waits. */
static bool grant(struct grc_turns *turns)
{
    struct worker *worker = turns->waiting;

    if (!worker)
        return false;
    turns->waiting = worker->next_waiting;
    atomic_fetch_sub(&turns->waiting_count, 1);
    worker->listed = false;
    atomic_store(&worker->has_turn, true);
    pthread_cond_signal(&worker->granted);
    return true;
}

/* Ends a worker's turn. While another worker sleeps, no waiting worker gets the turn: the sleeping
 * one will see the next event, and calls for help when it was the last (grc_turns_awake()). */
static void end_turn(struct grc_turns *turns, struct worker *worker)
{
    bool others = atomic_load(turns->sleepers) > 0;

    atomic_store(&worker->has_turn, false);
    if (others || !grant(turns))
        atomic_fetch_sub(&turns->taken, 1);
    if (others)
        grc_loop_hand_over(turns->loop);
}

static void take_free_turn(struct grc_turns *turns)
{
    if (atomic_load(&turns->taken) < turns->at_once && grant(turns))
        atomic_fetch_add(&turns->taken, 1);
}

/* The lock is held. */
static void end_habit(struct worker *worker)
{
    if (worker->by_habit)
        worker->turns->by_habit--;
    worker->by_habit = false;
}

/* --- the monitor --- */

/* Takes the turns of workers that have been running one thing for too long, and remembers whether
 * they were asleep. A worker that computes can also be late, on a machine that is busy. */
static void look(struct grc_turns *turns)
{
    int64_t now_ms = grc_mono_ms();
    unsigned samples = 0;

    for (struct worker *worker = turns->workers; worker; worker = worker->next) {
        int64_t busy_ms = atomic_load(&worker->busy_ms);

        if (!busy_ms || now_ms - busy_ms < turns->patience_ms)
            continue;
        if (atomic_load(&worker->seen_ms) != busy_ms && samples < SAMPLES) {
            samples++;
            atomic_store(&worker->seen, grc_thread_state(worker->tid));
            atomic_store(&worker->seen_ms, busy_ms);
        }
        if (atomic_load(&worker->has_turn) && turns->waiting)
            end_turn(turns, worker);
    }
}

/* A sleeping worker sees the next event, but not a timer that was set after it fell asleep. When
 * the worker that set it blocks, this wakes a worker for the timer. */
static void look_at_timers(struct grc_turns *turns)
{
    if (atomic_load(turns->sleepers) > 0 &&
        grc_loop_timer_overdue(turns->loop, grc_mono_ms() - LOOK_MS))
        grc_loop_wake(turns->loop);
}

/* Waits until every worker is busy or, when a timer is set, for REST_MS at most. Returns true when
 * it was woken. */
static bool rest(struct grc_turns *turns)
{
    bool stirred = true;

    /* From here on the last worker to wake wakes the monitor, and so does one that sets a timer. */
    atomic_store(&turns->rests, SLEEPS);
    if (grc_loop_has_timer(turns->loop))
        atomic_store(&turns->rests, NAPS);
    if (atomic_load(turns->sleepers) > 0) {
        if (atomic_load(&turns->rests) == NAPS)
            stirred = grc_cond_wait_until(&turns->stir, &turns->lock, grc_mono_ms() + REST_MS);
        else
            pthread_cond_wait(&turns->stir, &turns->lock);
    }
    atomic_store(&turns->rests, AWAKE);
    return stirred;
}

static void *watch_over(void *arg)
{
    struct grc_turns *turns = arg;
    unsigned calm = 0;

    pthread_mutex_lock(&turns->lock);
    while (!atomic_load(&turns->stopped)) {
        if (calm >= CALM_LOOKS)
            calm = rest(turns) ? 0 : calm; /* after work, more work is likely */
        else
            (void)grc_cond_wait_until(&turns->stir, &turns->lock, grc_mono_ms() + LOOK_MS);
        if (atomic_load(turns->sleepers) > 0) {
            look_at_timers(turns);
            calm = calm < CALM_LOOKS ? calm + 1 : calm;
        } else {
            look(turns);
            take_free_turn(turns);
            calm = 0;
        }
    }
    pthread_mutex_unlock(&turns->lock);
    return NULL;
}

/* --- making and joining --- */

struct grc_turns *grc_turns_new(struct grc_loop *loop, unsigned at_once, unsigned habit_max,
                                int64_t patience_ms, _Atomic unsigned *sleepers)
{
    struct grc_turns *turns = calloc(1, sizeof(*turns));

    if (!turns)
        return NULL;
    turns->at_once = at_once > 0 ? at_once : 1;
    turns->loop = loop;
    turns->habit_max = habit_max;
    turns->patience_ms = patience_ms;
    turns->sleepers = sleepers;
    pthread_mutex_init(&turns->lock, NULL);
    pthread_cond_init(&turns->stir, NULL);
    if (grc_thread_start(&turns->monitor, STACK_BYTES, watch_over, turns))
        return turns;
    pthread_cond_destroy(&turns->stir);
    pthread_mutex_destroy(&turns->lock);
    free(turns);
    return NULL;
}

void grc_turns_stop(struct grc_turns *turns)
{
    if (!turns)
        return;
    pthread_mutex_lock(&turns->lock);
    atomic_store(&turns->stopped, true);
    for (struct worker *worker = turns->waiting; worker; worker = worker->next_waiting)
        pthread_cond_signal(&worker->granted);
    pthread_cond_signal(&turns->stir);
    pthread_mutex_unlock(&turns->lock);
}

void grc_turns_free(struct grc_turns *turns)
{
    if (!turns)
        return;
    grc_turns_stop(turns);
    pthread_join(turns->monitor, NULL);
    pthread_cond_destroy(&turns->stir);
    pthread_mutex_destroy(&turns->lock);
    free(turns);
}

void grc_turns_join(struct grc_loop *loop)
{
    struct grc_turns *turns = grc_loop_turns(loop);
    struct worker *worker = turns ? calloc(1, sizeof(*worker)) : NULL;

    if (!worker)
        return;
    worker->turns = turns;
    worker->tid = gettid();
    pthread_cond_init(&worker->granted, NULL);
    pthread_mutex_lock(&turns->lock);
    worker->next = turns->workers;
    turns->workers = worker;
    pthread_mutex_unlock(&turns->lock);
    set_self(worker);
}

void grc_turns_leave(void)
{
    struct worker *worker = self();

    if (!worker)
        return;
    struct grc_turns *turns = worker->turns;

    pthread_mutex_lock(&turns->lock);
    if (atomic_load(&worker->has_turn))
        end_turn(turns, worker);
    end_habit(worker);
    for (struct worker **at = &turns->workers; *at; at = &(*at)->next) {
        if (*at == worker) {
            *at = worker->next;
            break;
        }
    }
    pthread_mutex_unlock(&turns->lock);
    set_self(NULL);
    pthread_cond_destroy(&worker->granted);
    free(worker);
}

/* --- for the workers --- */

/* Takes a worker out of the list of waiting ones; the lock is held. */
static void stop_waiting(struct grc_turns *turns, struct worker *worker)
{
    struct worker **at = &turns->waiting;

    while (*at != worker)
        at = &(*at)->next_waiting;
    *at = worker->next_waiting;
    atomic_fetch_sub(&turns->waiting_count, 1);
    worker->listed = false;
}

static void wait_for_turn(struct grc_turns *turns, struct worker *worker)
{
    atomic_store(&worker->busy_ms, 0);
    pthread_mutex_lock(&turns->lock);
    end_habit(worker);
    if (atomic_load(&turns->taken) < turns->at_once) {
        atomic_fetch_add(&turns->taken, 1);
        atomic_store(&worker->has_turn, true);
    } else {
        worker->next_waiting = turns->waiting;
        turns->waiting = worker;
        worker->listed = true;
        atomic_fetch_add(&turns->waiting_count, 1);
        while (!atomic_load(&worker->has_turn) && !atomic_load(&turns->stopped))
            pthread_cond_wait(&worker->granted, &turns->lock);
        if (worker->listed)
            stop_waiting(turns, worker);
    }
    pthread_mutex_unlock(&turns->lock);
}

void grc_turns_take(struct grc_turns *turns, int64_t now_ms)
{
    struct worker *worker = self();

    if (!worker || worker->turns != turns)
        return;
    if (!atomic_load(&worker->has_turn) && !atomic_load(&turns->stopped)) {
        wait_for_turn(turns, worker);
        now_ms = grc_mono_ms();
    }
    atomic_store(&worker->busy_ms, now_ms);
}

void grc_turns_sleep(struct grc_turns *turns)
{
    struct worker *worker = self();

    if (worker && worker->turns == turns)
        atomic_store(&worker->busy_ms, 0);
}

void grc_turns_awake(struct grc_turns *turns, bool last)
{
    struct worker *worker = self();

    if (!worker || worker->turns != turns)
        return;
    atomic_store(&worker->busy_ms, grc_mono_ms());
    if (!last)
        return;
    bool help =
        atomic_load(&turns->taken) < turns->at_once && atomic_load(&turns->waiting_count) > 0;

    if (!help && atomic_load(&turns->rests) == AWAKE)
        return;
    pthread_mutex_lock(&turns->lock);
    take_free_turn(turns);
    if (atomic_load(&turns->rests) != AWAKE)
        pthread_cond_signal(&turns->stir);
    pthread_mutex_unlock(&turns->lock);
}

void grc_turns_timer_set(struct grc_turns *turns)
{
    if (!turns || atomic_load(&turns->rests) != SLEEPS)
        return;
    pthread_mutex_lock(&turns->lock);
    pthread_cond_signal(&turns->stir);
    pthread_mutex_unlock(&turns->lock);
}

void grc_block_begin(void)
{
    struct worker *worker = self();

    if (!worker || worker->blocks)
        return;
    worker->blocks = true;
    pthread_mutex_lock(&worker->turns->lock);
    if (atomic_load(&worker->has_turn))
        end_turn(worker->turns, worker);
    pthread_mutex_unlock(&worker->turns->lock);
}

void grc_block_end(void)
{
    struct worker *worker = self();

    if (worker)
        worker->blocks = false;
}

void grc_habit_begin(const struct grc_habit *habit)
{
    struct worker *worker = self();

    if (!worker || atomic_load_explicit(&habit->blocks, memory_order_relaxed) <= 0)
        return;
    struct grc_turns *turns = worker->turns;

    pthread_mutex_lock(&turns->lock);
    if (atomic_load(&worker->has_turn) && turns->by_habit < turns->habit_max) {
        worker->by_habit = true;
        turns->by_habit++;
        end_turn(turns, worker);
    }
    pthread_mutex_unlock(&turns->lock);
}

/* What the step that ends now says of its work, as one of HABIT_…; 0: nothing. */
static int verdict(const struct worker *worker)
{
    int64_t busy_ms = atomic_load(&worker->busy_ms);

    if (grc_mono_ms() - busy_ms < worker->turns->patience_ms)
        return HABIT_QUICK;
    if (atomic_load(&worker->seen_ms) != busy_ms)
        return 0;
    switch (atomic_load(&worker->seen)) {
    case GRC_THREAD_SLEEPS:
        return HABIT_BLOCKED;
    case GRC_THREAD_RUNS:
        return HABIT_COMPUTED;
    default:
        return 0;
    }
}

void grc_habit_end(struct grc_habit *habit)
{
    const struct worker *worker = self();
    int change = worker ? verdict(worker) : 0;
    int blocks = atomic_load_explicit(&habit->blocks, memory_order_relaxed);
    int counted = blocks + change;

    counted = counted < 0 ? 0 : counted > HABIT_MOST ? HABIT_MOST : counted;
    /* When two threads count at the same time, one of the counts may be lost. */
    if (counted != blocks)
        atomic_store_explicit(&habit->blocks, counted, memory_order_relaxed);
}
