#include "loop/watch.h"

#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* The table grows by chunks, so that watches stay at their addresses. */
#define CHUNK 256u
#define CHUNKS_MAX 8192u

/*
 * The state of a watch is one word, from the lowest bit: the flags of events that came (8 bits),
 * the events waited for (8), the number of the wait (16), the generation (32). It is changed by
 * compare-and-swap, so that only one thread takes an event. The number keeps an event from reaching
 * an earlier wait.
 */
#define WANTED_SHIFT 8
#define WANTED_MASK UINT64_C(0xff00)
#define WAIT_ONE UINT64_C(0x10000)
#define WAIT_MASK UINT64_C(0xffff0000)
#define GENERATION_SHIFT 32
#define GENERATION_ONE (UINT64_C(1) << GENERATION_SHIFT)

struct grc_watch {
    _Atomic uint64_t word;
    _Atomic(grc_watch_fn *) fn;
    _Atomic(void *) arg;
    struct grc_watches *watches;
    int fd;
    uint32_t index;
    bool writes; /* the kernel also reports room to write */
    struct grc_watch *next_free;
};

struct grc_watches {
    int epoll;
    pthread_mutex_t lock;
    _Atomic(struct grc_watch *) chunks[CHUNKS_MAX];
    uint32_t count; /* watches that were ever used */
    uint32_t open;
    bool ended; /* the loop is gone; the last open watch frees the table */
    struct grc_watch *free;
};

struct grc_watches *grc_watches_new(int epoll)
{
    struct grc_watches *watches = calloc(1, sizeof(*watches));

    if (!watches || !grc_mutex_init_short(&watches->lock)) {
        free(watches);
        return NULL;
    }
    watches->epoll = epoll;
    return watches;
}

static void destroy(struct grc_watches *watches)
{
    for (size_t i = 0; i < CHUNKS_MAX; i++)
        free(atomic_load(&watches->chunks[i]));
    pthread_mutex_destroy(&watches->lock);
    free(watches);
}

void grc_watches_free(struct grc_watches *watches)
{
    if (!watches)
        return;
    pthread_mutex_lock(&watches->lock);
    bool unused = watches->open == 0;
    watches->ended = true;
    watches->epoll = -1;
    pthread_mutex_unlock(&watches->lock);
    if (unused)
        destroy(watches);
}

/* Makes a new watch; the lock is held. */
static struct grc_watch *grow(struct grc_watches *watches)
{
    uint32_t index = watches->count;
    struct grc_watch *chunk;

    if (index / CHUNK >= CHUNKS_MAX)
        return NULL;
    chunk = atomic_load(&watches->chunks[index / CHUNK]);
    if (!chunk) {
        chunk = calloc(CHUNK, sizeof(*chunk));
        if (!chunk)
            return NULL;
        atomic_store(&watches->chunks[index / CHUNK], chunk);
    }
    watches->count++;
    chunk[index % CHUNK].index = index;
    chunk[index % CHUNK].watches = watches;
    return &chunk[index % CHUNK];
}

static struct grc_watch *take(struct grc_watches *watches)
{
    pthread_mutex_lock(&watches->lock);
    struct grc_watch *watch = watches->free;
    if (watch)
        watches->free = watch->next_free;
    else
        watch = grow(watches);
    watches->open += watch != NULL;
    pthread_mutex_unlock(&watches->lock);
    return watch;
}

static void give(struct grc_watch *watch)
{
    struct grc_watches *watches = watch->watches;

    pthread_mutex_lock(&watches->lock);
    watch->next_free = watches->free;
    watches->free = watch;
    bool last = --watches->open == 0 && watches->ended;
    pthread_mutex_unlock(&watches->lock);
    if (last)
        destroy(watches);
}

/* Registers the descriptor with the kernel, or changes the registration. */
static int enlist(const struct grc_watch *watch, int operation)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLRDHUP | EPOLLET | (watch->writes ? EPOLLOUT : 0u),
        .data.u64 = (atomic_load(&watch->word) & ~(GENERATION_ONE - 1)) | watch->index,
    };

    return epoll_ctl(watch->watches->epoll, operation, watch->fd, &event);
}

struct grc_watch *grc_watches_open(struct grc_watches *watches, int fd)
{
    struct grc_watch *watch = take(watches);

    if (!watch) {
        errno = ENOMEM;
        return NULL;
    }
    watch->fd = fd;
    watch->writes = false;
    if (enlist(watch, EPOLL_CTL_ADD) != 0) {
        int saved = errno;
        give(watch);
        errno = saved;
        return NULL;
    }
    return watch;
}

void grc_watch_close(struct grc_watch *watch)
{
    if (!watch)
        return;
    uint64_t word = atomic_load(&watch->word);

    while (!atomic_compare_exchange_weak(&watch->word, &word,
                                         (word & ~(GENERATION_ONE - 1)) + GENERATION_ONE))
        continue;
    /* Fails when the descriptor was closed before, which has removed it from the set, and when the
     * loop is gone. Both are fine. */
    (void)epoll_ctl(watch->watches->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    give(watch);
}

int grc_watch_fd(const struct grc_watch *watch)
{
    return watch->fd;
}

bool grc_watch_arm(struct grc_watch *watch, uint32_t events, grc_watch_fn *fn, void *arg)
{
    uint64_t word = atomic_load(&watch->word);

    if ((events & GRC_WRITE) && !watch->writes) {
        watch->writes = true;
        (void)enlist(watch, EPOLL_CTL_MOD); /* cannot fail for an open watch: it needs no memory */
        word = atomic_load(&watch->word);
    }
    atomic_store(&watch->fn, fn);
    atomic_store(&watch->arg, arg);
    for (;;) {
        uint64_t came = word & events;
        uint64_t number = (word + WAIT_ONE) & WAIT_MASK;
        uint64_t next = came ? word & ~(came & ~(uint64_t)GRC_HANGUP)
                             : (word & ~WAIT_MASK) | number | (uint64_t)events << WANTED_SHIFT;

        if (atomic_compare_exchange_weak(&watch->word, &word, next))
            return !came;
    }
}

bool grc_watch_hung_up(const struct grc_watch *watch)
{
    return (atomic_load(&watch->word) & GRC_HANGUP) != 0;
}

bool grc_watch_has_news(const struct grc_watch *watch)
{
    return (atomic_load(&watch->word) & (GRC_READ | GRC_HANGUP)) != 0;
}

bool grc_watch_disarm(struct grc_watch *watch)
{
    uint64_t word = atomic_load(&watch->word);

    while (word & WANTED_MASK) {
        if (atomic_compare_exchange_weak(&watch->word, &word, word & ~WANTED_MASK))
            return true;
    }
    return false;
}

static uint32_t from_kernel(uint32_t kernel_events)
{
    uint32_t events = 0;

    if (kernel_events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        events |= GRC_READ;
    if (kernel_events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        events |= GRC_WRITE;
    if (kernel_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        events |= GRC_HANGUP;
    return events;
}

void grc_watches_tell(struct grc_watches *watches, uint64_t tag, uint32_t kernel_events)
{
    uint32_t index = (uint32_t)tag;
    const uint64_t events = from_kernel(kernel_events);
    struct grc_watch *chunk = atomic_load(&watches->chunks[index / CHUNK]);
    struct grc_watch *watch = &chunk[index % CHUNK];
    uint64_t word = atomic_load(&watch->word);

    for (;;) {
        uint64_t taken = (word & WANTED_MASK) >> WANTED_SHIFT & events;
        uint64_t next = word | events;
        /* Both belong to this wait if the word is still the same afterwards. */
        grc_watch_fn *fn = atomic_load(&watch->fn);
        void *arg = atomic_load(&watch->arg);

        if (word >> GENERATION_SHIFT != tag >> GENERATION_SHIFT)
            return;
        if (taken)
            next &= ~(WANTED_MASK | (taken & ~(uint64_t)GRC_HANGUP));
        if (!atomic_compare_exchange_weak(&watch->word, &word, next))
            continue;
        if (taken)
            fn(arg, (uint32_t)taken);
        return;
    }
}
