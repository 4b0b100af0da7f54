/*
 * One message of another service about a room of a class.
 *
 * Every handler accepts repeated messages: it decides in a transaction that locks the class and
 * calls other services only afterwards. A sender that got an error may send the same message again.
 */
#pragma once

#include "base/problem.h"
#include "store/classes.h"

/* One message. */
struct mini_delivery {
    const char *audience;      /* from the path; must be the audience of the class */
    gr_str source;             /* label of the service that sent the message */
    const json_t *payload;     /* already validated */
    enum mini_problem failure; /* error type for failures of this kind of message */
    /* Of a message that was accepted before: begins its lease again; returns false when another
     * gateway handles the message meanwhile. NULL: the sender waits for the answer. */
    bool (*renew)(struct gr_call *call, void *arg);
    void *renew_arg;
};

/* The handler of a kind of message; see handlers.h. */
typedef enum gr_err mini_message_fn(struct gr_call *call, const struct mini_delivery *delivery);

/* Whether the message is still this gateway's to handle. It is asked before calls that take long
 * and before those that cannot be repeated. */
static inline bool mini_flow_goes_on(struct gr_call *call, const struct mini_delivery *delivery)
{
    return !delivery || !delivery->renew || delivery->renew(call, delivery->renew_arg);
}

/* Fail the call with delivery->failure: with a text for the sender, or for an error of the store
 * (GR_OK is returned unchanged). */
enum gr_err mini_flow_fail(struct gr_call *call, const struct mini_delivery *delivery,
                           const char *detail);
enum gr_err mini_flow_store(struct gr_call *call, const struct mini_delivery *delivery,
                            enum gr_err err);
/* Finds the class of a room and checks its audience. When there is none, returns GR_ERR_NOT_FOUND
 * without failing the call. */
enum gr_err mini_flow_class(struct gr_call *call, const struct mini_delivery *delivery,
                            enum mini_class_by by, const char *room, struct mini_class *ret_class);
