/*
 * What the two sides of upstream/remote.h have in common: requests (remote.c) and the thread that
 * asks the server (remote_keeper.c). The link's lock guards jobs and notes of writes; it is held
 * for moments, and never while anything waits.
 */
#pragma once

#include "loop/wait.h"
#include "redis/link.h"
#include "upstream/remote.h"

/* Paths share this many generations. When two share one, a write to one also drops the answers of
 * the other. */
#define GRC_REMOTE_PATHS 65536u
/* How long a generation is kept: longer than any answer, since only these need it. */
#define GRC_REMOTE_GENERATION_MS (26 * 3600000LL)

enum grc_remote_kind { GRC_REMOTE_LOOKS = 1, GRC_REMOTE_KEEPS, GRC_REMOTE_ENDS };

/* A question, or something to be sent. */
struct grc_remote_job {
    struct grc_remote_job *next;
    enum grc_remote_kind kind;
    struct grc_remote_name name;
    int64_t generation;
    uint64_t lease; /* 0: none */
    bool late;      /* a late answer is wanted */
    bool alone;
    int64_t life_ms;
    int64_t stale_ms;
    unsigned char *value; /* of an answer to keep; owned */
    size_t value_len;
    /* of a question: */
    bool given_up; /* no request waits for it: the keeper frees it */
    bool done;
    bool answered;
    int64_t numbers[3];
    struct grc_buf found;
    struct grc_queue over;
};

struct grc_remote {
    const struct grc_cache_shared_settings *settings;
    struct grc_redis_link link;
    unsigned char name_key[GRC_SEAL_KEY];
    unsigned char value_key[GRC_SEAL_KEY];
    char self[17]; /* names this gateway's leases */
    _Atomic uint64_t leases;
    struct grc_remote_job *first; /* in the order in which they came */
    struct grc_remote_job *last;
    size_t jobs;
    size_t job_bytes;
    /* Writes that the server is to be told. */
    bool pending;
    uint64_t *paths;      /* a bit for each */
    uint64_t writes;      /* how many were noted */
    uint64_t told_writes; /* how many of them the server knows */
    struct grc_queue writers;
    /* for the keeper alone */
    uint64_t *telling; /* the bits that are being told */
    struct grc_redis_called look;
    struct grc_redis_called keep;
    struct grc_redis_called end;
    struct grc_redis_called wrote;
};

/* What the thread does. */
extern const struct grc_redis_use grc_remote_use;
void grc_remote_job_free(struct grc_remote_job *job);
/* A random number for a path, of at most 15 digits and above 0. */
int64_t grc_remote_generation(void);

/* Counters of the process; they go on over reloads. */
enum grc_remote_event {
    GRC_REMOTE_QUESTION = 0, /* sent to the server */
    GRC_REMOTE_DROPPED,      /* there was no room for it */
    GRC_REMOTE_FAILURE,      /* an attempt to connect failed, or a connection was lost */
    GRC_REMOTE_EVENTS,
};
void grc_remote_count(enum grc_remote_event event);
