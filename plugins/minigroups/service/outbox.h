/*
 * Requests that must be sent, at once or later: notifications, tasks for the transcoding queue, and
 * repairs of rooms. They are rows in the store that a timer sends at least once, with growing
 * pauses between the attempts.
 */
#pragma once

#include "calls.h"
#include "shared/queue.h"
#include "store/classes.h"

#define MINI_OUTBOX_TIMER "outbox"

/* Adds a notification about a class, in the transaction that changes the class. duration_s: length
 * of the recording; negative: none. */
enum gr_err mini_outbox_notify(struct gr_call *call, const struct mini_class *row,
                               const char *label, int64_t duration_s);
/* Adds a repair of a room. request is "METHOD /path" at the service. Takes over the reference to
 * the body. When the row cannot be stored, the request is sent at once, and only once. */
void mini_outbox_room(struct gr_call *call, enum mini_service service, const char *audience,
                      const char *request, json_t *stolen_body);
/* Stores a request for mini_outbox_send(); the timer sends it when that has not happened within a
 * minute. *ret_item is the row in call memory. Needs a transaction. */
enum gr_err mini_outbox_keep(struct gr_call *call, enum mini_service service, const char *audience,
                             const char *request, const char *payload, struct queue_item *ret_item);
/* Sends a stored request at once. False when it failed; the timer will try it again. */
bool mini_outbox_send(struct gr_call *call, enum mini_service service,
                      const struct queue_item *item, const char *request, const char *payload);
/* Timer: sends the rows that are due. */
gr_handler mini_outbox_run;
