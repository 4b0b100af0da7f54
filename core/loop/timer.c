#include "loop/timer.h"

#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A binary heap; heap[1] is due first. */
struct grc_timers {
    pthread_mutex_t lock;
    _Atomic int64_t next_ms;
    struct grc_timer **heap;
    size_t count;
    size_t room; /* timers that fit */
};

struct grc_timers *grc_timers_new(void)
{
    struct grc_timers *timers = calloc(1, sizeof(*timers));

    if (!timers || !grc_mutex_init_short(&timers->lock)) {
        free(timers);
        return NULL;
    }
    atomic_init(&timers->next_ms, GRC_NEVER_MS);
    return timers;
}

void grc_timers_free(struct grc_timers *timers)
{
    if (!timers)
        return;
    pthread_mutex_destroy(&timers->lock);
    free(timers->heap);
    free(timers);
}

static void put(struct grc_timers *timers, size_t place, struct grc_timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

/* Moves the timer from its place towards the top or the bottom until the order holds. */
static void settle(struct grc_timers *timers, struct grc_timer *timer)
{
    size_t place = timer->place;

    while (place > 1 && timers->heap[place / 2]->due_ms > timer->due_ms) {
        put(timers, place, timers->heap[place / 2]);
        place /= 2;
    }
    for (;;) {
        size_t child = place * 2;
        if (child < timers->count && timers->heap[child + 1]->due_ms < timers->heap[child]->due_ms)
            child++;
        if (child > timers->count || timers->heap[child]->due_ms >= timer->due_ms)
            break;
        put(timers, place, timers->heap[child]);
        place = child;
    }
    put(timers, place, timer);
}

static void note_next(struct grc_timers *timers)
{
    atomic_store(&timers->next_ms, timers->count ? timers->heap[1]->due_ms : GRC_NEVER_MS);
}

static void take_out(struct grc_timers *timers, struct grc_timer *timer)
{
    struct grc_timer *last = timers->heap[timers->count--];

    if (last != timer) {
        last->place = timer->place;
        settle(timers, last);
    }
    timer->place = 0;
    note_next(timers);
}

static bool make_room(struct grc_timers *timers)
{
    if (timers->count < timers->room)
        return true;
    size_t room = timers->room ? timers->room * 2 : 64;
    struct grc_timer **heap = realloc(timers->heap, (room + 1) * sizeof(*heap));

    if (!heap)
        return false;
    timers->heap = heap;
    timers->room = room;
    return true;
}

bool grc_timers_set(struct grc_timers *timers, struct grc_timer *timer, int64_t due_ms,
                    grc_timer_fn *fn, void *arg, bool *ret_set)
{
    bool first = false;

    *ret_set = true;
    if (due_ms == GRC_NEVER_MS) {
        grc_timers_clear(timers, timer);
        return false;
    }
    pthread_mutex_lock(&timers->lock);
    if (timer->place == 0 && !make_room(timers)) {
        *ret_set = false;
    } else {
        timer->due_ms = due_ms;
        timer->fn = fn;
        timer->arg = arg;
        if (timer->place == 0)
            timer->place = ++timers->count;
        settle(timers, timer);
        note_next(timers);
        first = timer->place == 1;
    }
    pthread_mutex_unlock(&timers->lock);
    return first;
}

bool grc_timers_clear(struct grc_timers *timers, struct grc_timer *timer)
{
    pthread_mutex_lock(&timers->lock);
    bool was_set = timer->place != 0;
    if (was_set)
        take_out(timers, timer);
    pthread_mutex_unlock(&timers->lock);
    return was_set;
}

bool grc_timers_take(struct grc_timers *timers, int64_t now_ms, grc_timer_fn **ret_fn,
                     void **ret_arg)
{
    bool due = false;

    if (grc_timers_next_ms(timers) > now_ms)
        return false;
    pthread_mutex_lock(&timers->lock);
    if (timers->count && timers->heap[1]->due_ms <= now_ms) {
        struct grc_timer *timer = timers->heap[1];
        *ret_fn = timer->fn;
        *ret_arg = timer->arg;
        take_out(timers, timer);
        due = true;
    }
    pthread_mutex_unlock(&timers->lock);
    return due;
}

int64_t grc_timers_next_ms(const struct grc_timers *timers)
{
    return atomic_load(&timers->next_ms);
}
