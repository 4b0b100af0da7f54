/*
 * Accepted messages that are handled later (callbacks.async). They are rows in the store. The
 * messages of one class are handled in order, each by one gateway at a time.
 */
#pragma once

#include "delivery.h"

#define MINI_INBOX_TIMER "inbox"

/* Stores a message. Messages with the same queue, for example the id of their class, are handled in
 * order. Does not fail the call on errors of the store. */
enum gr_err mini_inbox_put(struct gr_call *call, const char *queue, const char *label,
                           const struct mini_delivery *delivery);
/* Timer: handles the oldest message that is due, and wakes itself for the next one. */
gr_handler mini_inbox_run;
/* Timer: lets messages go on whose predecessor was settled by a gateway that died at once, or by an
 * older release. */
gr_handler mini_inbox_repair;
