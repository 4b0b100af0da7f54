#include "guard/lease.h"

#include <math.h>

#define AHEAD_S 0.1
#define BURST_PART 40.0
/* A gateway that found the bucket empty asks again when there may be a token: for fast rates not
 * before it had time to gather some, and for slow ones soon after an operator has emptied the
 * server or raised the rate. */
#define PAUSE_MIN_US 5000
#define PAUSE_MAX_US 1000000

int64_t grc_lease_size(const struct grc_rate *rate)
{
    return (int64_t)floor(fmin(rate->per_s * AHEAD_S, (double)rate->burst / BURST_PART));
}

enum grc_lease_verdict grc_lease_take(struct grc_lease *lease, int64_t now_us)
{
    if (lease->held > 0) {
        lease->held--;
        return GRC_LEASE_TAKEN;
    }
    return now_us < lease->none_until_us ? GRC_LEASE_NONE : GRC_LEASE_ASK;
}

int64_t grc_lease_want(const struct grc_lease *lease, const struct grc_rate *rate, int64_t now_us)
{
    int64_t size = grc_lease_size(rate);
    bool enough = lease->waiting <= lease->held && lease->held > size / 2;

    if (lease->asked > 0 || now_us < lease->none_until_us || enough)
        return 0;
    int64_t want = lease->waiting + size - lease->held;
    return want > 0 ? want : 0;
}

void grc_lease_answer(struct grc_lease *lease, const struct grc_rate *rate, int64_t granted,
                      double left, int64_t now_us)
{
    bool emptied = granted < lease->asked;

    lease->held += granted;
    lease->asked = 0;
    lease->left = left;
    lease->at_us = now_us;
    if (emptied) {
        double next_us = ceil(fmax(0, 1 - left) / rate->per_s * 1e6);

        lease->none_until_us = now_us + (int64_t)fmin(PAUSE_MAX_US, fmax(PAUSE_MIN_US, next_us));
    }
}

struct grc_rate_view grc_lease_view(const struct grc_lease *lease, const struct grc_rate *rate,
                                    int64_t now_us)
{
    double passed_s = now_us > lease->at_us ? (double)(now_us - lease->at_us) / 1e6 : 0;
    double shared = lease->at_us ? lease->left + passed_s * rate->per_s : (double)rate->burst;

    return grc_rates_view(fmin((double)rate->burst, (double)lease->held + shared), rate);
}
