/* What the files of the group webhooks share. */
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
    int64_t max_age; /* 0: no limit */
    const json_t *forward_to;
    int64_t forward_timeout;
    int64_t attempts_max;
};

/* One target to which events are forwarded. */
struct webhooks_target {
    char *name;
    char *upstream;   /* name of the upstream that was defined for it */
    const char *path; /* path of its URL; of the instance */
    char *header;     /* header to send with each event, or NULL */
    char *header_value;
    /* Only the thread of the timer "deliver" uses these. */
    unsigned failures;     /* consecutive ones */
    int64_t rest_until_ms; /* no attempt before this monotonic time */
};

struct webhooks {
    const struct webhooks_options *options;
    struct webhooks_target *targets;
    size_t target_count;
    struct queue deliveries;
};

/* Members of a received event. */
extern const struct gr_field webhooks_envelope[];
extern const struct gr_field webhooks_target_fields[];
/* Query and answer of the list. */
extern const struct gr_field webhooks_list_query[];
extern const struct gr_field webhooks_list_answer[];

/* Parses the event in a body; NULL when it is not JSON. The event is valid until the call ends. */
const json_t *webhooks_parse(struct gr_call *call, gr_str body);

/* GET /webhooks/events */
gr_handler webhooks_list;
/* Timer: deletes events older than `keep`, with their deliveries. */
gr_handler webhooks_purge;
/* Timer: makes the deliveries that are due. */
gr_handler webhooks_deliver;

/* Makes the targets of the option forward_to and defines an upstream for each. */
enum gr_err webhooks_targets_init(struct gr_self *self, struct webhooks *webhooks);
void webhooks_targets_done(struct webhooks *webhooks);
/* Adds one delivery for each target. Runs inside the transaction that stores the event. */
enum gr_err webhooks_queue(struct gr_call *call, const struct webhooks *webhooks, int64_t event_seq,
                           int64_t now_ms);
