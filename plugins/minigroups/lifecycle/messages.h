/* The messages that mean something to a minigroup: one row each. */
#pragma once

#include "delivery.h"

struct mini_message_type {
    const char *label;
    const struct gr_field *payload;
    mini_message_fn *handle;
    enum mini_problem failure;
    const char *in;   /* member of the payload that holds the next one; NULL: the payload itself */
    const char *room; /* member that holds the id of the room */
    enum mini_class_by by; /* how the class is found by that room */
};

/* The row of a label; NULL for a label that means nothing to a minigroup. */
const struct mini_message_type *mini_message_type_find(gr_str label);
/* Finds what a message has to stay in order with: the id of its class, or the id of the room while
 * no class has that room. *ret_queue is call memory or part of the payload. Returns store errors as
 * they are. */
enum gr_err mini_message_queue(struct gr_call *call, const struct mini_message_type *message,
                               const json_t *payload, const char **ret_queue);
/* Handles a message whose payload has been checked, and fails the call when that fails. An unknown
 * label is ignored. */
enum gr_err mini_message_handle(struct gr_call *call, const char *label,
                                struct mini_delivery *delivery);
