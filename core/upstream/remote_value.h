/*
 * An answer as it is kept in the server of the shared cache: its body, its type and its times,
 * encrypted for the place at which it is found, so that a value from another writer or from another
 * place is refused. Thread-safe.
 */
#pragma once

#include "base/buf.h"
#include "base/seal.h"
#include "upstream/answer.h"

/* The times of an answer. */
struct grc_remote_times {
    int64_t ttl_ms;   /* how long it is served when it is new */
    int64_t stale_ms; /* how long after that it is kept */
    int64_t age_s;    /* how old it was when it was kept */
};

/* How far the clocks of two gateways may differ. */
#define GRC_REMOTE_CLOCKS_MS 10000

/* Returns the malloc'ed value of a 200, and its length; NULL without memory. now_ms: the wall
 * clock. */
unsigned char *grc_remote_value_new(const unsigned char key[GRC_SEAL_KEY], gr_str place,
                                    const struct grc_answer *answer,
                                    const struct grc_remote_times *times, int64_t now_ms,
                                    size_t *ret_len);
/* The length of the value of an answer. */
size_t grc_remote_value_size(const struct grc_answer *answer);
/*
 * Reads a value. Returns an answer with one reference, or NULL: the value was not written with this
 * key for this place, or it is older by the wall clock, with a tolerance of GRC_REMOTE_CLOCKS_MS,
 * than it may be served. A server that works drops it earlier by its own clock; one that does not
 * may return an old value.
 */
struct grc_answer *grc_remote_value_read(const unsigned char key[GRC_SEAL_KEY], gr_str place,
                                         gr_str value, int64_t now_ms,
                                         struct grc_remote_times *ret_times);
