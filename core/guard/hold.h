/*
 * The arithmetic of a limit of concurrent use that is shared: a gateway has a share of the places,
 * which the others see, and its requests use the places of the share without asking. No I/O, no
 * clock, no lock: the caller passes the time, and one thread at a time uses a hold.
 *
 * While places are plenty (half of them are free, and at least GRC_HOLD_PLENTY), a gateway asks for
 * some more than it needs, and keeps what it does not need for GRC_HOLD_LINGER_MS, so that a busy
 * caller costs a few questions a second. While they are scarce, it takes what it needs and gives
 * back what it does not: a request that waits on another gateway gets it.
 *
 * The shares of all gateways together never exceed the limit, and a request uses a place only while
 * the share is valid, so the number in use does not exceed it either, with these exceptions. A
 * share ends GRC_HOLD_TTL_MS after it was last renewed. So the places of a gateway that dies become
 * free, and a gateway that was stopped for longer may exceed the limit by its share when it goes
 * on. When the shared counts were lost or could not be reached, requests that had begun by then may
 * exceed the limit until they end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GRC_HOLD_TTL_MS 10000
#define GRC_HOLD_PLENTY 8
#define GRC_HOLD_LINGER_MS 100

struct grc_hold {
    int64_t used;      /* requests in progress here */
    int64_t waiting;   /* requests that wait for a place */
    int64_t share;     /* places that this gateway may use */
    int64_t peak;      /* most places needed since window_us */
    int64_t window_us; /* when that count began */
    int64_t renew_us;  /* when the share is to be renewed */
    int64_t until_us;  /* when the share ends */
    int64_t retry_us;  /* when a refused question may be repeated */
    int64_t asked_us;  /* when the question under way was asked; 0: none is */
    bool doubtful;     /* the share may be another one than the others see */
    bool plenty;       /* places were, by the last answer */
    uint64_t answers;
};

enum grc_hold_verdict {
    GRC_HOLD_TAKEN = 1,
    GRC_HOLD_FULL, /* this gateway alone uses all places */
    GRC_HOLD_ASK,  /* a larger share is needed */
};

/* Takes a place of the share. */
enum grc_hold_verdict grc_hold_enter(struct grc_hold *hold, int64_t max, int64_t now_us);
void grc_hold_leave(struct grc_hold *hold);

/*
 * Returns the share that is to be asked for now, 0 to give it back, or -1 when there is nothing to
 * ask. It is called before each question and by the time of grc_hold_next_us(): places that are not
 * needed any more go back, and a share in use is renewed. From then on the share counts as no
 * larger than what is asked for.
 */
int64_t grc_hold_want(struct grc_hold *hold, int64_t max, int64_t now_us);
/* Returns when grc_hold_want() is to be called next although no request came or ended. */
int64_t grc_hold_next_us(const struct grc_hold *hold);
/* True when the places are to be given back at once: none is in use, and others may need them. */
bool grc_hold_returns(const struct grc_hold *hold);
/* Takes the answer: the share that was granted, which is at least what was in use when asked, and
 * the places that no gateway has. max is the limit of the question. */
void grc_hold_answer(struct grc_hold *hold, int64_t granted, int64_t free, int64_t max,
                     int64_t now_us);
/* The shared counts may be lost: the share is no more than what is in use, and is to be renewed. */
void grc_hold_doubt(struct grc_hold *hold);
/* No answer came to the question under way: it is to be repeated. */
void grc_hold_unanswered(struct grc_hold *hold);
/* There is no share, since its counts cannot be reached. */
void grc_hold_forget(struct grc_hold *hold);
/* True when nothing is in use, held or asked for. */
bool grc_hold_idle(const struct grc_hold *hold);
