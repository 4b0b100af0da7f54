/* What the parts of the webhooks group share: receiving, listing, handing on. */
#pragma once

#include "common.h"
#include "shared/queue.h"

#include <jansson.h>

#define WEBHOOKS_TARGETS_MAX 16

struct webhooks_options {
    const char *secret_header;
    const char *secret;
    const char *signature_secret;
    int64_t keep;
    const json_t *forward_to;
    int64_t forward_timeout;
    int64_t attempts_max;
};

/* One place that events are handed on to. */
struct webhooks_target {
    char *name;
    char *upstream; /* as it was defined with the host */
    char *path;     /* path of its URL */
    char *header;   /* one header sent along, NULL: none */
    char *header_value;
    /* For the timer "deliver" alone, which is one thread. */
    unsigned failures;     /* in a row */
    int64_t rest_until_ms; /* monotonic */
};

struct webhooks {
    const struct webhooks_options *options;
    struct webhooks_target *targets;
    size_t target_count;
    struct queue deliveries;
};

/* Members of an event as it comes. */
extern const struct gr_field webhooks_envelope[];
extern const struct gr_field webhooks_target_fields[];
/* Query and answer of the list. */
extern const struct gr_field webhooks_list_query[];
extern const struct gr_field webhooks_list_answer[];

/* GET /webhooks/events */
gr_handler webhooks_list;
/* Timer: events past their time go, and their deliveries with them. */
gr_handler webhooks_purge;
/* Timer: makes the deliveries that are due. */
gr_handler webhooks_deliver;

/* Makes the targets of .forward_to, each with an upstream of its own. */
enum gr_err webhooks_targets_init(struct gr_self *self, struct webhooks *webhooks);
void webhooks_targets_done(struct webhooks *webhooks);
/* Inside the transaction that keeps an event: one delivery for each target. */
enum gr_err webhooks_queue(struct gr_call *call, const struct webhooks *webhooks, int64_t event_seq,
                           int64_t now_ms);
