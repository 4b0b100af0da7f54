#include "class_lock.h"

#include "base/state.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct holder {
    struct mini_class_locks *locks;
    const char *name; /* in memory of the call that holds the lock */
    struct holder *next;
};

struct mini_class_locks {
    pthread_mutex_t lock;    /* protects the list */
    pthread_cond_t released; /* a holder has left the list */
    struct holder *holders;
};

struct mini_class_locks *mini_class_locks_new(void)
{
    struct mini_class_locks *locks = calloc(1, sizeof(*locks));

    if (!locks)
        return NULL;
    pthread_mutex_init(&locks->lock, NULL);
    pthread_cond_init(&locks->released, NULL);
    return locks;
}

void mini_class_locks_free(struct mini_class_locks *locks)
{
    if (!locks)
        return;
    pthread_cond_destroy(&locks->released);
    pthread_mutex_destroy(&locks->lock);
    free(locks);
}

static bool is_held(const struct mini_class_locks *locks, const char *name)
{
    for (const struct holder *holder = locks->holders; holder; holder = holder->next) {
        if (strcmp(holder->name, name) == 0)
            return true;
    }
    return false;
}

static void release(void *arg)
{
    struct holder *mine = arg;
    struct mini_class_locks *locks = mine->locks;

    pthread_mutex_lock(&locks->lock);
    for (struct holder **at = &locks->holders; *at; at = &(*at)->next) {
        if (*at == mine) {
            *at = mine->next;
            break;
        }
    }
    pthread_cond_broadcast(&locks->released);
    pthread_mutex_unlock(&locks->lock);
}

/* False when the name is still held after MINI_CLASS_LOCK_WAIT_MS. The caller holds locks->lock. */
static bool wait_until_free(struct mini_class_locks *locks, const char *name)
{
    struct timespec until;
    int result = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += MINI_CLASS_LOCK_WAIT_MS / 1000;
    while (is_held(locks, name) && result == 0)
        result = pthread_cond_clockwait(&locks->released, &locks->lock, CLOCK_MONOTONIC, &until);
    return !is_held(locks, name);
}

enum gr_err mini_class_lock_acquire(struct gr_call *call, const char *name)
{
    struct mini_class_locks *locks = mini_state_of(call)->class_locks;
    struct holder *mine = gr_alloc(call, sizeof(*mine));
    char *copy = gr_copy(call, gr_str_of(name));

    if (!mine || !copy)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory to wait for '%s'", name);
    *mine = (struct holder){locks, copy, NULL};
    pthread_mutex_lock(&locks->lock);
    bool free = wait_until_free(locks, name);
    if (free) {
        mine->next = locks->holders;
        locks->holders = mine;
    }
    pthread_mutex_unlock(&locks->lock);
    if (!free)
        return gr_fail(call, GR_ERR_OVERLOAD,
                       "another request is still making the rooms of this class");
    return gr_defer(call, release, mine);
}
