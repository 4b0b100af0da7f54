/*
 * What has to leave the gateway sooner or later: notifications, tasks for the transcoding queue,
 * and repairs of rooms. They are rows in the store that a timer sends at least once, with growing
 * waits between attempts.
 */
#pragma once

#include "calls.h"
#include "shared/queue.h"
#include "store/classes.h"

#define MINI_OUTBOX_TIMER "outbox"

/* Adds a notification about a class; to be called in the transaction that changes the class.
 * duration_s: length of the recording; negative: the notification has none. */
enum gr_err mini_outbox_notify(struct gr_call *call, const struct mini_class *row,
                               const char *label, int64_t duration_s);
/* Adds a repair of a room: request is "METHOD /path" at the service. Steals body. When the store
 * does not take it, the request is sent at once, and only once. */
void mini_outbox_room(struct gr_call *call, enum mini_service service, const char *audience,
                      const char *request, json_t *stolen_body);
/* In a transaction: keeps a request until mini_outbox_send() has sent it or, a minute later, the
 * timer. *ret_item is the row; its memory is the call's. */
enum gr_err mini_outbox_keep(struct gr_call *call, enum mini_service service, const char *audience,
                             const char *request, const char *payload, struct queue_item *ret_item);
/* Sends a kept request at once. False when it has to be tried again, which the timer will do. */
bool mini_outbox_send(struct gr_call *call, enum mini_service service,
                      const struct queue_item *item, const char *request, const char *payload);
/* The timer: sends what is due. */
gr_handler mini_outbox_run;
