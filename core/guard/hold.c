#include "guard/hold.h"

/* How long a place that is not needed stays in the share, while others of it are in use. It saves
 * questions, since the number in use goes up and down all the time. When places are
 * scarce and none is in use, all go back at once: the caller's next request may reach another
 * gateway. */
#define LINGER_US 5000
#define LINGER_PLENTY_US (INT64_C(1000) * GRC_HOLD_LINGER_MS)
#define RETRY_US 5000
#define RENEW_US 3000000

static int64_t needed(const struct grc_hold *hold)
{
    return hold->used + hold->waiting;
}

static void note_peak(struct grc_hold *hold)
{
    if (needed(hold) > hold->peak)
        hold->peak = needed(hold);
}

enum grc_hold_verdict grc_hold_enter(struct grc_hold *hold, int64_t max, int64_t now_us)
{
    if (needed(hold) >= max)
        return GRC_HOLD_FULL;
    if (hold->used >= hold->share || now_us >= hold->until_us)
        return GRC_HOLD_ASK;
    hold->used++;
    note_peak(hold);
    return GRC_HOLD_TAKEN;
}

void grc_hold_leave(struct grc_hold *hold)
{
    if (hold->used > 0)
        hold->used--;
}

/* Adds what a gateway keeps beside what it needs. */
static int64_t with_spare(const struct grc_hold *hold, int64_t places)
{
    return hold->plenty && places > 0 ? places + places / 4 + 1 : places;
}

static int64_t linger_us(const struct grc_hold *hold)
{
    return hold->plenty ? LINGER_PLENTY_US : LINGER_US;
}

bool grc_hold_returns(const struct grc_hold *hold)
{
    return needed(hold) == 0 && !hold->plenty;
}

/* Returns what the share should be, and begins the next window when one has passed. */
static int64_t goal(struct grc_hold *hold, int64_t now_us)
{
    int64_t goal = hold->share;

    if (grc_hold_returns(hold))
        return 0;
    note_peak(hold);
    if (now_us - hold->window_us >= linger_us(hold)) {
        int64_t enough = with_spare(hold, hold->peak);

        goal = enough < goal ? enough : goal;
        hold->window_us = now_us;
        hold->peak = needed(hold);
    }
    if (needed(hold) > goal && now_us >= hold->retry_us)
        goal = with_spare(hold, needed(hold));
    return goal;
}

int64_t grc_hold_want(struct grc_hold *hold, int64_t max, int64_t now_us)
{
    if (hold->asked_us)
        return -1;
    /* Whether places are still plenty is known after the next answer alone. */
    bool keeps = hold->plenty && hold->share > needed(hold);
    bool renews = hold->share > 0 && (now_us >= hold->renew_us ||
                                      (keeps && now_us - hold->window_us >= LINGER_PLENTY_US));
    int64_t want = goal(hold, now_us);

    if (want > max)
        want = max;
    if (want < hold->used)
        want = hold->used; /* it began when the limit was higher, or was not shared */
    if (want == hold->share && !renews && !hold->doubtful)
        return -1;
    if (want < hold->share)
        hold->share = want;
    hold->asked_us = now_us;
    return want;
}

int64_t grc_hold_next_us(const struct grc_hold *hold)
{
    int64_t next_us = hold->window_us + linger_us(hold);

    if (hold->doubtful || (hold->share > 0 && grc_hold_returns(hold)))
        return 0;
    if (needed(hold) > hold->share && hold->retry_us < next_us)
        next_us = hold->retry_us;
    return hold->share > 0 && hold->renew_us < next_us ? hold->renew_us : next_us;
}

void grc_hold_answer(struct grc_hold *hold, int64_t granted, int64_t free, int64_t max,
                     int64_t now_us)
{
    hold->share = granted;
    hold->plenty = free >= GRC_HOLD_PLENTY && free >= max / 2;
    hold->until_us = hold->asked_us + INT64_C(1000) * GRC_HOLD_TTL_MS;
    hold->renew_us = hold->asked_us + RENEW_US;
    hold->asked_us = 0;
    hold->doubtful = false;
    hold->answers++;
    if (granted < needed(hold))
        hold->retry_us = now_us + RETRY_US;
    hold->window_us = now_us;
    hold->peak = needed(hold);
}

void grc_hold_doubt(struct grc_hold *hold)
{
    hold->share = hold->used;
    hold->plenty = false;
    hold->retry_us = 0;
    grc_hold_unanswered(hold);
}

void grc_hold_unanswered(struct grc_hold *hold)
{
    hold->asked_us = 0;
    hold->doubtful = true;
}

void grc_hold_forget(struct grc_hold *hold)
{
    hold->share = 0;
    hold->asked_us = 0;
    hold->doubtful = false;
    hold->plenty = false;
}

bool grc_hold_idle(const struct grc_hold *hold)
{
    return needed(hold) == 0 && hold->share == 0 && hold->asked_us == 0 && !hold->doubtful;
}
