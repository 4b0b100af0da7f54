/*
 * Messages that were accepted and are handled later (callbacks.async). They are rows in the store,
 * handled first in, first out for each class, and each by one gateway at a time.
 */
#pragma once

#include "delivery.h"

#define MINI_INBOX_TIMER "inbox"

/* Keeps a message. queue: what it has to stay in order with, such as the id of a class. Returns
 * store errors as they are. */
enum gr_err mini_inbox_put(struct gr_call *call, const char *queue, const char *label,
                           const struct mini_delivery *delivery);
/* The timer: handles the oldest message that is due, and wakes itself for the next one. */
gr_handler mini_inbox_run;
