/*
 * What the other services report about the rooms of a class, and what follows from it.
 *
 * Every handler tolerates repeats: it decides in a transaction that holds the class, and only then
 * calls other services; a sender that got an error may send the same message again.
 */
#pragma once

#include "base/problem.h"
#include "store/classes.h"

/* One message. */
struct mini_delivery {
    const char *audience;      /* of the path; has to be the class's */
    gr_str source;             /* label of the service that made the message */
    const json_t *payload;     /* its shape has been checked */
    enum mini_problem failure; /* how a failure is called */
};

/* Handles one message; see handlers.h. */
typedef enum gr_err mini_message_fn(struct gr_call *call, const struct mini_delivery *delivery);

/* Fail the call with the error type of this kind of message: with a text for the sender, or for an
 * error of the store (GR_OK is passed on). */
enum gr_err mini_flow_fail(struct gr_call *call, const struct mini_delivery *delivery,
                           const char *detail);
enum gr_err mini_flow_store(struct gr_call *call, const struct mini_delivery *delivery,
                            enum gr_err err);
/* Finds the class of a room and checks its audience. When there is none, returns GR_ERR_NOT_FOUND
 * without failing the call. */
enum gr_err mini_flow_class(struct gr_call *call, const struct mini_delivery *delivery,
                            enum mini_class_by by, const char *room, struct mini_class *ret_class);
