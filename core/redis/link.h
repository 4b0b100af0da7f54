/*
 * A thread with a connection to a Redis or Valkey server, which it makes again when it is lost,
 * with growing pauses. Its work is done by the functions of its user (struct grc_redis_use), which
 * run on this thread; no other thread talks to the server. Requests hand the thread work under
 * link->lock and wake it with grc_redis_link_wake(). Thread-safe, apart from what is for the thread
 * alone.
 */
#pragma once

#include "config/settings.h"
#include "redis/redis.h"

#include <pthread.h>
#include <stdatomic.h>

struct grc_redis_link;

enum grc_redis_state { GRC_REDIS_STARTING = 0, GRC_REDIS_REACHED, GRC_REDIS_AWAY };

/* A script, and whether the server has to be sent its text. */
struct grc_redis_called {
    struct grc_redis_script script;
    bool whole;
};

struct grc_redis_use {
    /* Log messages for a change of the state. */
    const char *lost;
    const char *reached;
    const char *late; /* the reason when a request has waited in vain */
    struct grc_redis_sizes sizes;
    /* Tries what requests need, so that a server that takes no writes, or a user without the
     * rights, is noticed before a request needs it. Called for a new connection (is_new), whose
     * server may lack the scripts, and for an idle one. */
    bool (*probe)(void *arg, bool is_new, char reason[GRC_REDIS_REASON]);
    /* The probe of a new connection has succeeded. May be NULL. */
    void (*connected)(void *arg);
    /* A connection was lost, or could not be made. */
    void (*failed)(void *arg);
    /* Does the work that waits. Without a connection, link->redis is NULL. */
    void (*work)(void *arg);
    /* When work() is to be called next although it was not woken; GRC_REDIS_NEVER_MS. May be NULL.
     */
    int64_t (*next_ms)(void *arg);
    /* The thread ends. */
    void (*end)(void *arg);
};

#define GRC_REDIS_NEVER_MS INT64_MAX

struct grc_redis_link {
    const struct grc_redis_settings *settings;
    const struct grc_redis_use *use;
    void *arg;
    const char *meanwhile; /* what happens while the server is away, for the log; static */
    struct grc_redis_url url;
    _Atomic int state; /* enum grc_redis_state */
    _Atomic bool late; /* a request has waited in vain: the connection is to be dropped */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards what follows, and the work of the user */
    pthread_cond_t changed;
    bool stopping;
    bool woken;
    char reason[GRC_REDIS_REASON];
    /* for the thread alone */
    struct grc_redis *redis; /* NULL: there is no connection */
    int64_t pause_ms;
    int64_t next_try_ms;
    int64_t next_probe_ms;
};

/* Takes a zeroed link whose settings, use, arg and meanwhile are set; they outlive it. Loads the
 * client library and reads the URL. Returns false with a reason (malloc'ed, or NULL without
 * memory); grc_redis_link_done() is to be called either way. */
bool grc_redis_link_init(struct grc_redis_link *link, char **ret_reason);
/* Starts the thread, and waits for the outcome of its first attempt to connect. A server that
 * cannot be reached is no failure. Returns false when there is no thread. */
bool grc_redis_link_start(struct grc_redis_link *link);
/* Ends the thread, when it runs, after a call of use->end(). */
void grc_redis_link_stop(struct grc_redis_link *link);
/* Releases everything, after grc_redis_link_stop(). */
void grc_redis_link_done(struct grc_redis_link *link);

/* Called with the lock held: there is work. */
void grc_redis_link_wake(struct grc_redis_link *link);
/* Whether it makes sense to ask the server: it is reached, and no request has waited in vain. */
bool grc_redis_link_is_reached(struct grc_redis_link *link);
/* One request has waited in vain; the next ones do not wait. */
void grc_redis_link_late(struct grc_redis_link *link);
/* Returns true while the server is reached; else writes the reason. */
bool grc_redis_link_works(struct grc_redis_link *link, char *ret_reason, size_t size);

/* For the thread: the connection is of no use any more. */
void grc_redis_link_drop(struct grc_redis_link *link, const char *reason);
/* For the thread: something was asked and answered, so no probe is needed for a while. */
void grc_redis_link_used(struct grc_redis_link *link);
/* For the thread: queues a call, see grc_redis_call(). */
bool grc_redis_link_call(struct grc_redis_link *link, const struct grc_redis_called *called,
                         const gr_str *words, size_t keys, size_t count);
/* For the thread: takes note of the answer to a call. Returns false when the connection is to be
 * dropped. */
bool grc_redis_link_answered(struct grc_redis_called *called, enum grc_redis_answer answer);
