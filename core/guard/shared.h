/*
 * Limits that several gateways share through a Redis or Valkey server: rates (guard/lease.h) and
 * numbers of concurrent uses (guard/hold.h). The server's clock counts, and every key expires by
 * itself. A key has a digest of who is limited and by what, so no name or address is in it.
 *
 * No request talks to the server. A thread of its own does, with one connection: it sends the
 * questions of all requests together and hands out the answers. A request that needs an answer
 * parks until it is there, at most for the configured timeout. While the server cannot be reached,
 * requests get GRC_SHARED_AWAY at once, and the thread tries again with growing pauses.
 *
 * What is known of buckets is in a table of fixed size, like guard/rates.h. Thread-safe.
 */
#pragma once

#include "config/settings.h"
#include "guard/rates.h"

struct grc_shared;

/* Loads the client library. settings must outlive it. Returns NULL with a reason (malloc'ed). */
struct grc_shared *grc_shared_new(const struct grc_shared_settings *settings, char **ret_reason);
/* Starts the thread, and waits for the outcome of its first attempt to connect. A server that
 * cannot be reached is no failure. Returns false when there is no thread. */
bool grc_shared_start(struct grc_shared *shared);
/* Ends the thread, and gives back what is held. NULL is fine. No call uses it any more. */
void grc_shared_free(struct grc_shared *shared);

/* Who is limited, and by what. */
struct grc_shared_name {
    enum grc_rate_class class;
    gr_str who;
    gr_str what; /* may be empty */
};

enum grc_shared_verdict {
    GRC_SHARED_PASSES = 1,
    GRC_SHARED_REFUSED,
    GRC_SHARED_AWAY,    /* the server was not reached in time */
    GRC_SHARED_NO_ROOM, /* the table is full */
};

/* Takes one token. Fills *ret_view for the first two verdicts. May park. */
enum grc_shared_verdict grc_shared_take(struct grc_shared *shared,
                                        const struct grc_shared_name *name,
                                        const struct grc_rate *rate,
                                        struct grc_rate_view *ret_view);
/* Describes a bucket, as far as this gateway knows it. */
void grc_shared_look(struct grc_shared *shared, const struct grc_shared_name *name,
                     const struct grc_rate *rate, struct grc_rate_view *ret_view);

/*
 * Counts one more use of at most max, until grc_shared_leave() with *ret_key. While the server is
 * away, `alone` tells whether this gateway's own uses are counted instead. Without
 * GRC_SHARED_PASSES nothing is counted. May park: beside the time for an answer, a few milliseconds
 * in which another gateway may give back a place that it does not need any more.
 */
enum grc_shared_verdict grc_shared_enter(struct grc_shared *shared,
                                         const struct grc_shared_name *name, int64_t max,
                                         bool alone, uint64_t *ret_key);
void grc_shared_leave(struct grc_shared *shared, uint64_t key);

/* Returns true while the server is reached; else writes the reason. */
bool grc_shared_works(struct grc_shared *shared, char *ret_reason, size_t size);
/* Writes the metrics; NULL writes none. */
struct grc_buf;
void grc_shared_report(struct grc_shared *shared, struct grc_buf *out);
