/* A transfer: the attempts of an exchange. transfer.c decides what follows after each attempt,
 * run.c runs one transfer or several. Used by one thread at a time. */
#pragma once

#include "upstream/internal.h"

enum grc_transfer_state {
    GRC_TRANSFER_READY = 1,
    GRC_TRANSFER_RUNNING,
    GRC_TRANSFER_WAITING,
    GRC_TRANSFER_DONE
};

struct grc_transfer {
    enum grc_transfer_state state;
    struct grc_upstream *upstream;
    struct grc_exchange *exchange;
    struct grc_idle_list *pool;  /* for handles */
    struct grc_handle *handle;   /* with libcurl's transport, while running */
    struct grc_answer_head head; /* of the answer to the last attempt */
    struct grc_token *token;
    enum grc_breaker_pass pass;
    bool asked;   /* the breaker has to be told the result */
    bool boarded; /* it counts as in flight */
    bool renewed; /* the token was renewed for it, which is done once */
    unsigned tries;
    int64_t deadline_ms;
    int64_t launched_us;
    int64_t resume_ms;  /* while waiting */
    const char *parent; /* the exchange's traceparent, while each attempt has its own */
    char context[GRC_CONTEXT_BYTES];
};

/* Begins a transfer, which counts as in flight from here on, or is done at once. grouped: it uses
 * the connections of a grc_multi. */
void grc_transfer_begin(struct grc_transfer *transfer, struct grc_upstream *upstream,
                        struct grc_exchange *exchange, bool grouped);
/* Checks whether a ready transfer may make an attempt. On return it is running, and the caller
 * makes the attempt, or it is done. */
void grc_transfer_launch(struct grc_transfer *transfer);
/* Called after an attempt. On return the transfer is waiting, ready for the next attempt, or done.
 */
void grc_transfer_attempt_done(struct grc_transfer *transfer, const struct grc_outcome *outcome);
/* Ends a wait when its time has come, or when the client left. */
void grc_transfer_look(struct grc_transfer *transfer, int64_t now_ms);
/* Makes the transfer done, with this error. */
void grc_transfer_finish(struct grc_transfer *transfer, enum gr_err err);
/* spans.c: begins the span of an attempt, which the upstream gets as its parent, and ends it. */
void grc_transfer_span_begin(struct grc_transfer *transfer);
void grc_transfer_span_end(struct grc_transfer *transfer, const struct grc_outcome *outcome);
/* Releases what a transfer that is done holds. */
void grc_transfer_end(struct grc_transfer *transfer);
