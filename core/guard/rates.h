/*
 * Token buckets and counts of concurrent use for very many callers in bounded memory. A bucket is
 * found by a keyed hash, and a new one replaces the one that has not been used for the longest
 * time. Thread-safe: each part of the table has a lock, which is held for a few instructions.
 */
#pragma once

#include "config/settings.h"

struct grc_rates;

/* Room for at least `slots` buckets. NULL without memory. */
struct grc_rates *grc_rates_new(size_t slots);
void grc_rates_free(struct grc_rates *rates);

/* The purpose of a bucket. The same name in another class has another bucket. The numbers stay as
 * they are: gateways of several releases may share buckets (guard/shared.h). */
enum grc_rate_class {
    GRC_RATE_ADDRESS = 1,
    GRC_RATE_CALLER,
    GRC_RATE_SCOPE,
    GRC_RATE_ROUTE,
    GRC_RATE_FAILURES,
    GRC_RATE_ADDRESS_USE, /* concurrent */
    GRC_RATE_CALLER_USE,
};

/* The key of a bucket: a hash of class, who and what (may be empty) under a random key of the
 * process, so that no client can find a name that shares the bucket of another caller. */
uint64_t grc_rates_key(enum grc_rate_class class, gr_str who, gr_str what);

/* The state of a bucket after a token was asked for. */
struct grc_rate_view {
    int64_t limit;     /* the size of the bucket */
    int64_t remaining; /* whole tokens left */
    int64_t full_s;    /* seconds until it is full, rounded up */
    int64_t next_s;    /* seconds until it has a token, rounded up; at least 1 */
};

/* Describes a bucket with so many tokens. */
struct grc_rate_view grc_rates_view(double tokens, const struct grc_rate *rate);

/* Takes one token. Returns false when there is none. now_us is monotonic. ret_view may be NULL. */
bool grc_rates_take(struct grc_rates *rates, uint64_t key, const struct grc_rate *rate,
                    int64_t now_us, struct grc_rate_view *ret_view);

/* Reads the state of a bucket. */
void grc_rates_look(struct grc_rates *rates, uint64_t key, const struct grc_rate *rate,
                    int64_t now_us, struct grc_rate_view *ret_view);

/* Counts one more use. Returns false when there are max already. A count above 0 is never dropped
 * from the table. Without room in the table the use is allowed, and *ret_counted is false. */
bool grc_rates_enter(struct grc_rates *rates, uint64_t key, int64_t max, int64_t now_us,
                     bool *ret_counted);
/* Ends a use that was counted. */
void grc_rates_leave(struct grc_rates *rates, uint64_t key);
