/*
 * The cache that several gateways share through a Redis or Valkey server, behind the cache of each
 * (upstream/cache.h), and the leases by which one of them asks an upstream while the others wait
 * for its answer. What may be kept, and for whom, is decided by the cache of the gateway.
 *
 * The server is not trusted with answers. A key is a keyed digest of the upstream, its credential,
 * the target and the partition, and a value is encrypted for its key (upstream/remote_value.h): the
 * server can neither read nor make a value, nor give it to another caller. It can lose answers, and
 * return one that was replaced, but not for longer than that may be served.
 *
 * Writes. Paths have generations (upstream/remote_scripts.h). A write gives new generations to its
 * path and the paths above it before its client is answered, and a later look finds no answer of
 * the old ones. Writes that could not be told to the server are told when it is back, before it is
 * asked anything.
 *
 * No request talks to the server; a thread does (redis/link.h). A request that needs an answer
 * parks until it is there, at most for the configured timeout. While the server is away, requests
 * get GRC_REMOTE_AWAY at once. Thread-safe.
 */
#pragma once

#include "upstream/answer.h"
#include "upstream/cache.h"
#include "upstream/remote_value.h"

struct grc_remote;

/* Loads the client library. settings must outlive it. Returns NULL with a reason (malloc'ed, or
 * NULL without memory). */
struct grc_remote *grc_remote_new(const struct grc_cache_shared_settings *settings,
                                  char **ret_reason);
/* Starts the thread, and waits for the outcome of its first attempt to connect. A server that
 * cannot be reached is no failure. Returns false when there is no thread. */
bool grc_remote_start(struct grc_remote *remote);
/* Ends the thread, after it has sent what is queued. NULL is fine. No call uses it any more. */
void grc_remote_free(struct grc_remote *remote);
/* Whether the server is reached, so that a look makes sense. */
bool grc_remote_is_reached(struct grc_remote *remote);

#define GRC_REMOTE_DIGEST 32u

/* Names an upstream in the same way on all gateways: by its URL and the account there. */
struct grc_remote_upstream {
    unsigned char digest[GRC_REMOTE_DIGEST];
};
/* credential may be NULL. */
struct grc_remote_upstream grc_remote_upstream(struct grc_remote *remote,
                                               const struct grc_upstream_settings *settings,
                                               const struct grc_credential *credential);

/* Where an answer is found. */
struct grc_remote_name {
    unsigned char digest[GRC_REMOTE_DIGEST];
    uint32_t path; /* the number of its generation */
};
struct grc_remote_name grc_remote_name(struct grc_remote *remote,
                                       const struct grc_remote_upstream *upstream,
                                       const struct grc_cache_key *key);

/* What to look for. */
struct grc_remote_question {
    const struct grc_remote_name *name;
    int64_t generation; /* of the copy that this gateway has; 0: none that it could serve */
    bool leases;        /* take the lease when there is no answer */
    bool late;          /* give a late answer too */
};

enum grc_remote_verdict {
    GRC_REMOTE_AWAY = 0, /* the server was not reached in time, or has too many questions */
    GRC_REMOTE_SAME,     /* the copy with that generation is still right */
    GRC_REMOTE_KEPT,     /* the answer is there */
    GRC_REMOTE_LEADS,    /* there is none, and this gateway has the lease to ask the upstream */
    GRC_REMOTE_HELD,     /* there is none, and another gateway has the lease */
    GRC_REMOTE_ALONE,    /* there is none; ask the upstream without a lease */
};

struct grc_remote_found {
    enum grc_remote_verdict verdict;
    int64_t asked_ms;          /* monotonic: what was found was right after this moment */
    int64_t generation;        /* of the path */
    uint64_t lease;            /* with GRC_REMOTE_LEADS; else 0 */
    bool refused;              /* there was a value that no gateway with this secret has written */
    struct grc_answer *answer; /* a reference, or NULL; a late one with the last three verdicts */
    struct grc_cache_life life;
};

/* Looks for an answer. May park. */
struct grc_remote_found grc_remote_look(struct grc_remote *remote,
                                        const struct grc_remote_question *question);

/* After an upstream was asked: found is the result of the look before. Neither function parks. */
/* Keeps the answer, and ends the lease. Returns false when the answer is too large. */
bool grc_remote_keep(struct grc_remote *remote, const struct grc_remote_name *name,
                     const struct grc_remote_found *found, const struct grc_answer *answer,
                     const struct grc_remote_times *times);
/* Ends the lease, if there is one. alone: for a moment every gateway is to ask the upstream itself,
 * since answers are not kept. */
void grc_remote_end(struct grc_remote *remote, const struct grc_remote_name *name,
                    const struct grc_remote_found *found, bool alone);

/* Tells the server that a write to the target has ended. */
void grc_remote_wrote(struct grc_remote *remote, const struct grc_remote_upstream *upstream,
                      gr_str target);
/* Returns when the server knows all writes that have ended so far, or is away. May park. */
void grc_remote_settle(struct grc_remote *remote);

/* Returns true while the server is reached; else writes the reason. */
bool grc_remote_works(struct grc_remote *remote, char *ret_reason, size_t size);
/* Writes the metrics; NULL writes none. */
struct grc_buf;
void grc_remote_report(struct grc_remote *remote, struct grc_buf *out);
