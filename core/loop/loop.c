#include "loop/loop.h"

#include "base/clock.h"
#include "base/thread.h"
#include "loop/fiber_internal.h"
#include "loop/turn_internal.h"
#include "loop/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Most events that one epoll_wait() takes. All but the first are left to any worker. */
#define BATCH 16
/* Most events that were taken and have not run; more than all workers together take. */
#define TAKEN_MAX 4096u
/* The most steps in a row that run what is pending, before one asks the kernel for new events. */
#define UNPOLLED_MAX 32u
/* The longest that a worker sleeps while a timer is set. */
#define SLEEP_MAX_MS 60000

/* The tag of events of the wake descriptor. */
#define WAKE_TAG UINT64_MAX

struct taken {
    uint64_t tag;
    uint32_t events;
    int64_t came_us; /* when it was taken from the kernel */
};

struct grc_loop {
    int epoll;
    int wake;
    atomic_bool wake_sent; /* `wake` was written to, and no worker has seen that yet */
    atomic_bool stopped;
    _Atomic unsigned sleepers; /* workers in epoll_wait(), or about to enter it */
    _Atomic unsigned stepping; /* workers that run something */
    atomic_bool timer_moved;   /* a timer was set that is due before sleeping workers wake */
    struct grc_timers *timers;
    struct grc_watches *watches;
    struct grc_fibers *fibers;
    struct grc_turns *turns; /* NULL: all workers may run at once */
    pthread_mutex_t lock;    /* guards the members below */
    struct grc_fiber *posted;
    struct grc_fiber *posted_last;
    struct taken taken[TAKEN_MAX]; /* a ring */
    unsigned taken_at;
    unsigned taken_count;
    /* Posted fibers, taken events and offers; read without the lock. */
    _Atomic unsigned pending;
    _Atomic unsigned unpolled; /* steps since the last epoll_wait() */
};

static _Thread_local int64_t event_us; /* of the event that this thread runs; 0: none */

/* Not inlined, because a fiber may be on another thread each time. */
__attribute__((noinline)) int64_t grc_loop_event_us(void)
{
    return event_us;
}

__attribute__((noinline)) static void set_event_us(int64_t us)
{
    event_us = us;
}

struct grc_loop *grc_loop_new(void)
{
    struct grc_loop *loop = calloc(1, sizeof(*loop));
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = WAKE_TAG};

    if (!loop || !grc_mutex_init_short(&loop->lock)) {
        free(loop);
        return NULL;
    }
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->timers = grc_timers_new();
    loop->fibers = grc_fibers_new();
    loop->watches = grc_watches_new(loop->epoll);
    if (loop->epoll < 0 || loop->wake < 0 || !loop->timers || !loop->fibers || !loop->watches ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) != 0) {
        grc_loop_free(loop);
        return NULL;
    }
    return loop;
}

void grc_loop_free(struct grc_loop *loop)
{
    if (!loop)
        return;
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->wake >= 0)
        close(loop->wake);
    grc_turns_free(loop->turns);
    grc_timers_free(loop->timers);
    grc_fibers_free(loop->fibers);
    grc_watches_free(loop->watches);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

/* --- waking workers --- */

void grc_loop_wake(struct grc_loop *loop)
{
    const uint64_t one = 1;

    if (atomic_exchange(&loop->wake_sent, true))
        return;
    /* Only a signal can make it fail: the counter never comes near its maximum. */
    while (write(loop->wake, &one, sizeof(one)) < 0)
        continue;
}

/* Wakes a sleeping worker, if there is one, because there is work for it. */
static void wake_sleeper(struct grc_loop *loop)
{
    if (atomic_load(&loop->sleepers) > 0)
        grc_loop_wake(loop);
}

void grc_loop_hand_over(struct grc_loop *loop)
{
    if (atomic_load(&loop->pending) > 0 || atomic_load(&loop->timer_moved))
        wake_sleeper(loop);
}

void grc_loop_offer(struct grc_loop *loop, bool wake)
{
    atomic_fetch_add(&loop->pending, 1);
    if (wake)
        wake_sleeper(loop);
}

void grc_loop_accept(struct grc_loop *loop)
{
    if (atomic_fetch_sub(&loop->pending, 1) > 1)
        wake_sleeper(loop);
}

void grc_loop_stop(struct grc_loop *loop)
{
    atomic_store(&loop->stopped, true);
    grc_turns_stop(loop->turns);
    grc_loop_wake(loop);
}

/* --- posted fibers and taken events --- */

void grc_loop_post(struct grc_loop *loop, struct grc_fiber *fiber)
{
    grc_fiber_set_next(fiber, NULL);
    pthread_mutex_lock(&loop->lock);
    if (loop->posted_last)
        grc_fiber_set_next(loop->posted_last, fiber);
    else
        loop->posted = fiber;
    loop->posted_last = fiber;
    atomic_fetch_add(&loop->pending, 1);
    pthread_mutex_unlock(&loop->lock);
    wake_sleeper(loop);
}

/* Takes at most one posted fiber and at most one taken event. */
static bool take_pending(struct grc_loop *loop, struct grc_fiber **ret_fiber,
                         struct taken *ret_taken)
{
    unsigned count = 0;

    *ret_fiber = NULL;
    ret_taken->events = 0;
    if (atomic_load(&loop->pending) == 0)
        return false;
    pthread_mutex_lock(&loop->lock);
    if (loop->posted) {
        *ret_fiber = loop->posted;
        loop->posted = grc_fiber_next(loop->posted);
        if (!loop->posted)
            loop->posted_last = NULL;
        count++;
    }
    if (loop->taken_count > 0) {
        *ret_taken = loop->taken[loop->taken_at];
        loop->taken_at = (loop->taken_at + 1) % TAKEN_MAX;
        loop->taken_count--;
        count++;
    }
    atomic_fetch_sub(&loop->pending, count);
    pthread_mutex_unlock(&loop->lock);
    return count > 0;
}

/* Keeps events for any worker to run. Returns how many found room. */
static int put_taken(struct grc_loop *loop, const struct epoll_event *events, int count,
                     int64_t came_us)
{
    int done = 0;

    pthread_mutex_lock(&loop->lock);
    while (done < count && loop->taken_count < TAKEN_MAX) {
        unsigned at = (loop->taken_at + loop->taken_count++) % TAKEN_MAX;

        loop->taken[at] = (struct taken){events[done].data.u64, events[done].events, came_us};
        done++;
    }
    atomic_fetch_add(&loop->pending, (unsigned)done);
    pthread_mutex_unlock(&loop->lock);
    return done;
}

static void run_event(struct grc_loop *loop, uint64_t tag, uint32_t events, int64_t came_us)
{
    set_event_us(came_us);
    grc_watches_tell(loop->watches, tag, events);
    set_event_us(0);
}

/* --- a step --- */

static bool run_pending(struct grc_loop *loop)
{
    struct grc_fiber *fiber;
    struct taken taken;

    if (!take_pending(loop, &fiber, &taken))
        return false;
    if (atomic_load(&loop->pending) > 0)
        wake_sleeper(loop); /* for the rest, since this worker may be busy for long */
    if (fiber)
        grc_fiber_resume(fiber);
    if (taken.events)
        run_event(loop, taken.tag, taken.events, taken.came_us);
    return true;
}

static bool run_timer(struct grc_loop *loop, int64_t now_ms)
{
    grc_timer_fn *fn;
    void *arg;

    if (!grc_timers_take(loop->timers, now_ms, &fn, &arg))
        return false;
    fn(arg);
    return true;
}

/* Returns how long a worker without work may sleep. */
static int sleep_ms(struct grc_loop *loop, int timeout_ms, int64_t now_ms)
{
    atomic_store(&loop->timer_moved, false);
    int64_t next_ms = grc_timers_next_ms(loop->timers);
    int64_t limit_ms = timeout_ms < 0 ? INT32_MAX : timeout_ms;

    if (next_ms != GRC_NEVER_MS) {
        int64_t left_ms = next_ms > now_ms ? next_ms - now_ms : 0;
        left_ms = left_ms < SLEEP_MAX_MS ? left_ms : SLEEP_MAX_MS;
        limit_ms = left_ms < limit_ms ? left_ms : limit_ms;
    } else if (timeout_ms < 0) {
        return -1;
    }
    return (int)limit_ms;
}

/* Calls epoll_wait(). The worker counts as asleep before it looks for work one last time, so that a
 * thread which adds work after that look sees the sleeper. */
static int wait_for_events(struct grc_loop *loop, struct epoll_event events[BATCH], int timeout_ms)
{
    int count;

    if (timeout_ms == 0)
        return epoll_wait(loop->epoll, events, BATCH, 0);
    atomic_fetch_add(&loop->sleepers, 1);
    if (atomic_load(&loop->pending) > 0 || atomic_load(&loop->stopped))
        timeout_ms = 0;
    else
        timeout_ms = sleep_ms(loop, timeout_ms, grc_mono_ms());
    grc_turns_sleep(loop->turns);
    count = epoll_wait(loop->epoll, events, BATCH, timeout_ms);
    grc_turns_awake(loop->turns, atomic_fetch_sub(&loop->sleepers, 1) == 1);
    return count;
}

static void woken(struct grc_loop *loop)
{
    atomic_store(&loop->wake_sent, false);
    if (atomic_load(&loop->stopped))
        grc_loop_wake(loop); /* one worker after the other */
}

/* Runs the first event and leaves the others to any worker. */
static void run_events(struct grc_loop *loop, struct epoll_event *events, int count)
{
    int kept = 0;

    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == WAKE_TAG)
            woken(loop);
        else
            events[kept++] = events[i];
    }
    const int64_t came_us = kept > 0 ? grc_mono_us() : 0;
    int left = kept > 1 ? put_taken(loop, &events[1], kept - 1, came_us) : 0;
    if (left > 0)
        wake_sleeper(loop);

    if (kept > 0)
        run_event(loop, events[0].data.u64, events[0].events, came_us);
    for (int i = left + 1; i < kept; i++)
        run_event(loop, events[i].data.u64, events[i].events, came_us);
}

void grc_loop_step(struct grc_loop *loop, int timeout_ms)
{
    struct epoll_event events[BATCH];
    const int64_t now_ms = grc_mono_ms();
    bool ran;

    grc_turns_take(loop->turns, now_ms);
    atomic_fetch_add(&loop->stepping, 1);
    ran = run_pending(loop);
    if (grc_timers_next_ms(loop->timers) != GRC_NEVER_MS)
        ran |= run_timer(loop, now_ms); /* one that falls due meanwhile has the next step */
    atomic_fetch_sub(&loop->stepping, 1);
    if (ran && atomic_load(&loop->pending) > 0 &&
        atomic_fetch_add(&loop->unpolled, 1) < UNPOLLED_MAX)
        return;
    atomic_store(&loop->unpolled, 0);
    if (ran || atomic_load(&loop->pending) > 0)
        timeout_ms = 0;
    int count = wait_for_events(loop, events, timeout_ms);
    atomic_fetch_add(&loop->stepping, 1);
    run_events(loop, events, count);
    atomic_fetch_sub(&loop->stepping, 1);
}

/* --- timers, fibers, watches --- */

bool grc_loop_timer(struct grc_loop *loop, struct grc_timer *timer, int64_t due_ms,
                    grc_timer_fn *fn, void *arg)
{
    bool set;

    if (!grc_timers_set(loop->timers, timer, due_ms, fn, arg, &set))
        return set;
    /* A worker in a step looks at the timers before it sleeps again. If it blocks instead,
     * grc_loop_hand_over() or the monitor of the turns wakes another worker. */
    atomic_store(&loop->timer_moved, true);
    if (atomic_load(&loop->stepping) == 0)
        wake_sleeper(loop);
    grc_turns_timer_set(loop->turns);
    return set;
}

bool grc_loop_timer_clear(struct grc_loop *loop, struct grc_timer *timer)
{
    return grc_timers_clear(loop->timers, timer);
}

bool grc_turns_begin(struct grc_loop *loop, unsigned at_once, unsigned habit_max,
                     int64_t patience_ms)
{
    loop->turns = grc_turns_new(loop, at_once, habit_max, patience_ms, &loop->sleepers);
    return loop->turns != NULL;
}

bool grc_loop_timer_overdue(const struct grc_loop *loop, int64_t before_ms)
{
    return grc_timers_next_ms(loop->timers) <= before_ms;
}

bool grc_loop_has_timer(const struct grc_loop *loop)
{
    return grc_timers_next_ms(loop->timers) != GRC_NEVER_MS;
}

struct grc_turns *grc_loop_turns(struct grc_loop *loop)
{
    return loop->turns;
}

struct grc_fibers *grc_loop_fibers(struct grc_loop *loop)
{
    return loop->fibers;
}

struct grc_watch *grc_watch_open(struct grc_loop *loop, int fd)
{
    return grc_watches_open(loop->watches, fd);
}
