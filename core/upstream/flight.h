/* One exchange on its way through its attempts. Used by one thread at a time; flight.c takes the
 * decisions, run.c drives one flight or several. */
#pragma once

#include "upstream/internal.h"

enum grc_flight_state {
    GRC_FLIGHT_READY = 1,
    GRC_FLIGHT_RUNNING,
    GRC_FLIGHT_WAITING,
    GRC_FLIGHT_DONE
};

/* One exchange on its way. */
struct grc_flight {
    enum grc_flight_state state;
    struct grc_upstream *upstream;
    struct grc_exchange *exchange;
    struct grc_handles *pool;
    struct grc_handle *handle; /* while running */
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

/* Sets out: boards the upstream, or is done at once. grouped: it shares a crew's connections. */
void grc_flight_begin(struct grc_flight *flight, struct grc_upstream *upstream,
                      struct grc_exchange *exchange, bool grouped);
/* Starts an attempt of a flight that is ready. On return it is running, or done. */
void grc_flight_launch(struct grc_flight *flight);
/* An attempt is over, with libcurl's word. On return the flight is waiting, ready for the next, or
 * done. */
void grc_flight_land(struct grc_flight *flight, CURLcode code);
/* Ends a wait when its time has come, or when the client left. */
void grc_flight_look(struct grc_flight *flight, int64_t now_ms);
/* Done, with that error. */
void grc_flight_finish(struct grc_flight *flight, enum gr_err err);
/* Gives back what a flight that is done held. */
void grc_flight_end(struct grc_flight *flight);
