/* One exchange on its way through its attempts. Used by one thread at a time; transfer.c takes the
 * decisions, run.c drives one transfer or several. */
#pragma once

#include "upstream/internal.h"

enum grc_transfer_state {
    GRC_TRANSFER_READY = 1,
    GRC_TRANSFER_RUNNING,
    GRC_TRANSFER_WAITING,
    GRC_TRANSFER_DONE
};

/* One exchange on its way. */
struct grc_transfer {
    enum grc_transfer_state state;
    struct grc_upstream *upstream;
    struct grc_exchange *exchange;
    struct grc_idle_list *pool;  /* of handles */
    struct grc_handle *handle;   /* of libcurl's transport, while running */
    struct grc_answer_head head; /* of the last attempt's answer */
    struct grc_token *token;
    enum grc_breaker_pass pass;
    bool asked;   /* the breaker wants to hear the result */
    bool boarded; /* counts as in flight */
    bool renewed; /* the token was renewed for it; not twice */
    unsigned tries;
    int64_t deadline_ms;
    int64_t launched_us;
    int64_t resume_ms; /* while waiting */
};

/* Sets out: boards the upstream, or is done at once. grouped: it shares a multi's connections. */
void grc_transfer_begin(struct grc_transfer *transfer, struct grc_upstream *upstream,
                        struct grc_exchange *exchange, bool grouped);
/* Sees whether a transfer that is ready may make an attempt. On return it is running: the attempt
 * is the caller's to make; or done. */
void grc_transfer_launch(struct grc_transfer *transfer);
/* An attempt is over. On return the transfer is waiting, ready for the next, or done. */
void grc_transfer_attempt_done(struct grc_transfer *transfer, const struct grc_outcome *outcome);
/* Ends a wait when its time has come, or when the client left. */
void grc_transfer_look(struct grc_transfer *transfer, int64_t now_ms);
/* Done, with that error. */
void grc_transfer_finish(struct grc_transfer *transfer, enum gr_err err);
/* Gives back what a transfer that is done held. */
void grc_transfer_end(struct grc_transfer *transfer);
