/*
 * The arithmetic of a rate whose bucket is shared: a gateway takes tokens out of the shared bucket
 * ahead, a few at a time, and its requests use them without asking. No I/O, no clock, no lock: the
 * caller passes the time, and one thread at a time uses a lease.
 *
 * A gateway holds at most S = grc_lease_size() tokens that no request has used. A token leaves the
 * shared bucket before a request uses it, so in any time T all gateways together let at most
 *
 *     burst + rate * T + gateways * S
 *
 * requests through, the last part being tokens that were taken out before. S is at most a fortieth
 * of the burst: with "100/s" it is 2, and three gateways let at most 6 more through than one would.
 * For rates under 10 a second and bursts under 40, S is 0: each token is asked for when it is
 * needed, and the count is exact. What a gateway holds when it ends is lost to the others, who get
 * at most S requests less.
 */
#pragma once

#include "guard/rates.h"

struct grc_lease {
    int64_t held;          /* tokens that are here */
    int64_t waiting;       /* requests that wait for one */
    int64_t asked;         /* tokens in the question under way; 0: none is */
    double left;           /* tokens in the shared bucket at at_us */
    int64_t at_us;         /* of the last answer; 0: there was none */
    int64_t none_until_us; /* until then the shared bucket is taken to have no token */
};

enum grc_lease_verdict {
    GRC_LEASE_TAKEN = 1,
    GRC_LEASE_NONE, /* the shared bucket had none a moment ago */
    GRC_LEASE_ASK,  /* the shared bucket has to be asked */
};

/* Returns the most tokens that a gateway takes ahead: what the rate brings in a tenth of a second,
 * and at most a fortieth of the burst. */
int64_t grc_lease_size(const struct grc_rate *rate);

/* Takes one of the tokens that are here. */
enum grc_lease_verdict grc_lease_take(struct grc_lease *lease, int64_t now_us);

/* Returns how many tokens are to be asked for now; 0 for none, also while a question is under way.
 * The caller notes the number in lease->asked when it asks. */
int64_t grc_lease_want(const struct grc_lease *lease, const struct grc_rate *rate, int64_t now_us);

/* Takes an answer: the tokens that were granted, and those left in the bucket after that. */
void grc_lease_answer(struct grc_lease *lease, const struct grc_rate *rate, int64_t granted,
                      double left, int64_t now_us);

/* Describes the bucket, as far as it is known here. What other gateways have taken since the last
 * answer is not known. */
struct grc_rate_view grc_lease_view(const struct grc_lease *lease, const struct grc_rate *rate,
                                    int64_t now_us);
