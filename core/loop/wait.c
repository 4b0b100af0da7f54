#include "loop/wait.h"

#include "base/clock.h"
#include "loop/fiber_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>

static _Atomic int64_t waiting[GRC_WAITS_COUNT];

int64_t grc_waits_now(enum grc_waits what)
{
    return atomic_load_explicit(&waiting[what], memory_order_relaxed);
}

const char *grc_waits_name(enum grc_waits what)
{
    static const char *const names[] = {
#define GRC_WAITS_NAME(id, name, meaning) name,
        GRC_WAITS(GRC_WAITS_NAME)
#undef GRC_WAITS_NAME
    };

    return names[what];
}

static void count(enum grc_waits what, int64_t by)
{
    atomic_fetch_add_explicit(&waiting[what], by, memory_order_relaxed);
}

/* --- how a fiber waits --- */

static void on_timer(void *arg)
{
    struct grc_fiber *fiber = arg;

    if (grc_fiber_wake(fiber))
        grc_fiber_resume(fiber);
}

static void on_watch(void *arg, uint32_t events)
{
    (void)events;
    on_timer(arg);
}

/* Arms the fiber and its timer. Returns GRC_WOKEN_READY when it may park; otherwise it is not
 * armed. */
static enum grc_woken begin(struct grc_fiber *self, int64_t deadline_ms, enum grc_waits what)
{
    grc_fiber_arm(self);
    enum grc_woken woken = GRC_WOKEN_READY;

    if (what != GRC_WAITS_WRITE && grc_fiber_is_cancelled(self) && !grc_fiber_is_shielded(self))
        woken = GRC_WOKEN_CANCELLED;
    else if (deadline_ms != GRC_NEVER_MS && grc_mono_ms() >= deadline_ms)
        woken = GRC_WOKEN_LATE;
    else if (!grc_loop_timer(grc_fiber_loop(self), grc_fiber_timer(self), deadline_ms, on_timer,
                             self))
        woken = GRC_WOKEN_FAILED;
    if (woken != GRC_WOKEN_READY)
        grc_fiber_disarm(self);
    return woken;
}

static void park(struct grc_fiber *self, int64_t deadline_ms, enum grc_waits what)
{
    count(what, 1);
    grc_fiber_park(self);
    count(what, -1);
    if (deadline_ms != GRC_NEVER_MS)
        grc_loop_timer_clear(grc_fiber_loop(self), grc_fiber_timer(self));
}

static void give_up(struct grc_fiber *self, int64_t deadline_ms)
{
    grc_fiber_disarm(self);
    if (deadline_ms != GRC_NEVER_MS)
        grc_loop_timer_clear(grc_fiber_loop(self), grc_fiber_timer(self));
}

/* --- how a thread waits --- */

/* Milliseconds for poll(), rounded up so that it does not return before the deadline. */
static int left_ms(int64_t deadline_ms)
{
    if (deadline_ms == GRC_NEVER_MS)
        return -1;
    int64_t left = deadline_ms - grc_mono_ms();

    if (left <= 0)
        return 0;
    return left < INT32_MAX ? (int)left : INT32_MAX;
}

static enum grc_woken block(int fd, uint32_t events, int64_t deadline_ms, enum grc_waits what)
{
    struct pollfd polled = {
        .fd = fd,
        .events = (short)((events & GRC_READ ? POLLIN : 0) | (events & GRC_WRITE ? POLLOUT : 0) |
                          (events & GRC_HANGUP ? POLLRDHUP : 0)),
    };
    int result;

    count(what, 1);
    do {
        result = poll(&polled, fd < 0 ? 0 : 1, left_ms(deadline_ms));
    } while (result < 0 && errno == EINTR);
    count(what, -1);
    if (result < 0)
        return GRC_WOKEN_FAILED;
    return result > 0 ? GRC_WOKEN_READY : GRC_WOKEN_LATE;
}

/* --- descriptors and moments --- */

enum grc_woken grc_wait_watch(struct grc_watch *watch, uint32_t events, int64_t deadline_ms,
                              enum grc_waits what)
{
    struct grc_fiber *self = grc_fiber_self();

    if (!self)
        return block(grc_watch_fd(watch), events, deadline_ms, what);
    for (;;) {
        enum grc_woken woken = begin(self, deadline_ms, what);

        if (woken != GRC_WOKEN_READY)
            return woken;
        if (!grc_watch_arm(watch, events, on_watch, self)) {
            give_up(self, deadline_ms);
            return GRC_WOKEN_READY;
        }
        park(self, deadline_ms, what);
        if (!grc_watch_disarm(watch))
            return GRC_WOKEN_READY;
    }
}

struct grc_watch *grc_wait_open(int fd)
{
    const struct grc_fiber *self = grc_fiber_self();

    return self ? grc_watch_open(grc_fiber_loop(self), fd) : NULL;
}

enum grc_woken grc_wait_fd(int fd, uint32_t events, int64_t deadline_ms, enum grc_waits what)
{
    struct grc_fiber *self = grc_fiber_self();

    if (!self)
        return block(fd, events, deadline_ms, what);
    struct grc_watch *watch = grc_watch_open(grc_fiber_loop(self), fd);

    if (!watch)
        return GRC_WOKEN_FAILED;
    enum grc_woken woken = grc_wait_watch(watch, events, deadline_ms, what);
    grc_watch_close(watch);
    return woken;
}

enum grc_woken grc_wait_until(int64_t when_ms, enum grc_waits what)
{
    struct grc_fiber *self = grc_fiber_self();

    if (!self)
        return block(-1, 0, when_ms, what);
    for (;;) {
        enum grc_woken woken = begin(self, when_ms, what);

        if (woken != GRC_WOKEN_READY)
            return woken;
        park(self, when_ms, what);
    }
}

/* --- queues --- */

struct grc_queue_waiter {
    struct grc_fiber *fiber; /* NULL for a thread, which waits for woken_cond */
    pthread_cond_t woken_cond;
    bool woken;
    struct grc_queue_waiter *next;
    struct grc_queue_waiter *previous;
};

/* Not inlined, to avoid a false warning: the compiler does not see that a wake takes the waiter,
 * which is on the stack of grc_queue_wait(), out of the queue. */
__attribute__((noinline)) static void enqueue(struct grc_queue *queue,
                                              struct grc_queue_waiter *waiter)
{
    waiter->next = NULL;
    waiter->previous = queue->last;
    if (queue->last)
        queue->last->next = waiter;
    else
        queue->first = waiter;
    queue->last = waiter;
}

static void dequeue(struct grc_queue *queue, struct grc_queue_waiter *waiter)
{
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        queue->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    else
        queue->last = waiter->previous;
}

static enum grc_woken queue_park(struct grc_queue_waiter *waiter, pthread_mutex_t *held,
                                 int64_t deadline_ms, enum grc_waits what)
{
    struct grc_fiber *self = waiter->fiber;

    while (!waiter->woken) {
        enum grc_woken woken = begin(self, deadline_ms, what);

        if (woken != GRC_WOKEN_READY)
            return woken;
        pthread_mutex_unlock(held);
        park(self, deadline_ms, what);
        pthread_mutex_lock(held);
    }
    return GRC_WOKEN_READY;
}

static enum grc_woken queue_block(struct grc_queue_waiter *waiter, pthread_mutex_t *held,
                                  int64_t deadline_ms, enum grc_waits what)
{
    bool in_time = true;

    pthread_cond_init(&waiter->woken_cond, NULL);
    count(what, 1);
    while (!waiter->woken && in_time) {
        if (deadline_ms == GRC_NEVER_MS)
            pthread_cond_wait(&waiter->woken_cond, held);
        else
            in_time = grc_cond_wait_until(&waiter->woken_cond, held, deadline_ms);
    }
    count(what, -1);
    pthread_cond_destroy(&waiter->woken_cond);
    return waiter->woken ? GRC_WOKEN_READY : GRC_WOKEN_LATE;
}

enum grc_woken grc_queue_wait(struct grc_queue *queue, pthread_mutex_t *held, int64_t deadline_ms,
                              enum grc_waits what)
{
    struct grc_queue_waiter waiter = {.fiber = grc_fiber_self()};
    enum grc_woken woken;

    enqueue(queue, &waiter);
    if (waiter.fiber)
        woken = queue_park(&waiter, held, deadline_ms, what);
    else
        woken = queue_block(&waiter, held, deadline_ms, what);
    if (waiter.woken)
        return GRC_WOKEN_READY;
    dequeue(queue, &waiter);
    return woken;
}

bool grc_queue_wake(struct grc_queue *queue)
{
    struct grc_queue_waiter *waiter = queue->first;

    if (!waiter)
        return false;
    dequeue(queue, waiter);
    waiter->woken = true;
    if (!waiter->fiber)
        pthread_cond_signal(&waiter->woken_cond);
    else if (grc_fiber_wake(waiter->fiber))
        grc_loop_post(grc_fiber_loop(waiter->fiber), waiter->fiber);
    return true;
}

void grc_queue_wake_all(struct grc_queue *queue)
{
    while (grc_queue_wake(queue))
        continue;
}
