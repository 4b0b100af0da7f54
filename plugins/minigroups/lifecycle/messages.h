/* The table of the messages that concern minigroups. */
#pragma once

#include "delivery.h"

struct mini_message_type {
    const char *label;
    const struct gr_field *payload;
    mini_message_fn *handle;
    enum mini_problem failure;
    const char *in;        /* member of the payload with the next one; NULL: the payload itself */
    const char *room;      /* member with the id of the room */
    enum mini_class_by by; /* how to find the class by this room */
};

/* Returns the row of a label; NULL for a label that does not concern minigroups. */
const struct mini_message_type *mini_message_type_find(gr_str label);
/* Finds the queue of a message for mini_inbox_put(): the id of its class, or the id of the room
 * when no class has this room. *ret_queue is call memory or part of the payload. Does not fail the
 * call on errors of the store. */
enum gr_err mini_message_queue(struct gr_call *call, const struct mini_message_type *message,
                               const json_t *payload, const char **ret_queue);
/* Handles a message with a valid payload; an error has failed the call. Ignores unknown labels. */
enum gr_err mini_message_handle(struct gr_call *call, const char *label,
                                struct mini_delivery *delivery);
