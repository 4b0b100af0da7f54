/*
 * What the two sides of guard/shared.h have in common: requests (shared.c) and the thread that asks
 * the server (shared_keeper.c). For core/guard only.
 *
 * Locks: first that of a part of the table, then that of the link. A waiting request is in the
 * queue of its entry, under the part's lock.
 */
#pragma once

#include "guard/hold.h"
#include "guard/lease.h"
#include "guard/shared.h"
#include "loop/wait.h"
#include "redis/link.h"

#define GRC_SHARED_WAYS 8u
#define GRC_SHARED_PARTS 256u
#define GRC_SHARED_DIGEST 16u

/* What this gateway knows of one bucket or one number in use. */
struct grc_shared_entry {
    uint64_t key; /* 0: free */
    int64_t at_us;
    unsigned char digest[GRC_SHARED_DIGEST];
    bool is_hold;
    bool queued; /* in the list of entries that have a question */
    bool urgent; /* one that cannot wait until others have gathered */
    bool active; /* in the keeper's list of holds */
    struct grc_rate rate;
    int64_t max; /* of a hold */
    union {
        struct grc_lease lease;
        struct grc_hold hold;
    };
    struct grc_queue queue;
    struct grc_shared_entry *next_question;
    struct grc_shared_entry *next_active; /* for the keeper alone */
};

struct grc_shared_part {
    pthread_mutex_t mutex;
    char pad[64 - sizeof(pthread_mutex_t) % 64];
};

struct grc_shared {
    const struct grc_shared_settings *settings;
    struct grc_redis_link link; /* its lock guards questions and gathers */
    char self[33];              /* names this gateway's shares of numbers in use */
    struct grc_shared_entry *entries;
    size_t set_mask;
    struct grc_shared_part parts[GRC_SHARED_PARTS];
    struct grc_shared_entry *questions;
    bool gathers; /* the thread will look at the questions soon, also without being woken */
    /* for the keeper alone */
    int64_t gather_ms; /* when it does */
    struct grc_redis_called take;
    struct grc_redis_called hold;
    struct grc_shared_entry *active;
    int64_t look_us; /* when the holds are to be looked at next */
};

/* The mutex of the part of the table that has the entry. */
static inline pthread_mutex_t *grc_shared_mutex(struct grc_shared *shared, uint64_t key)
{
    return &shared->parts[key & (GRC_SHARED_PARTS - 1)].mutex;
}

/* Puts an entry, whose part is locked, into the list of those that have a question. urgent: a
 * request waits, here or on another gateway; others are asked together, a few milliseconds later.
 */
void grc_shared_ask(struct grc_shared *shared, struct grc_shared_entry *entry, bool urgent);
/* What the thread does. */
extern const struct grc_redis_use grc_shared_use;

/* Counters of the process; they go on over reloads. */
enum grc_shared_event {
    GRC_SHARED_QUESTION = 0, /* sent to the server */
    GRC_SHARED_WAIT,         /* a request waited for an answer */
    GRC_SHARED_ALONE,        /* a request was judged without the server */
    GRC_SHARED_FAILURE,      /* an attempt to connect failed, or a connection was lost */
    GRC_SHARED_EVENTS,
};
void grc_shared_count(enum grc_shared_event event);
