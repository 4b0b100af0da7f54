/*
 * Messages that were taken and are handled later (callbacks.async): rows in the store, first in
 * first out per class, each handled by one gateway at a time.
 */
#pragma once

#include "lifecycle.h"

#define MG_INBOX_TIMER "inbox"

/* Keeps a message. queue: what it has to stay in order with, such as the id of a class. Returns
 * store errors as they are. */
enum gr_err mg_inbox_put(struct gr_call *call, const char *queue, const char *label,
                         const struct mg_delivery *delivery);
/* Handles a message by its label, whose payload has been checked. callback.c */
enum gr_err mg_deliver(struct gr_call *call, const char *label, struct mg_delivery *delivery);
/* The timer: handles the oldest message that is due, and wakes itself for the next one. */
gr_handler mg_inbox_run;
