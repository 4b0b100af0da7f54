/* What the files of the group webhooks share. */
#pragma once

#include "common.h"
#include "shared/queue.h"

#include <jansson.h>
#include <pthread.h>

#define WEBHOOKS_TARGETS_MAX 16
#define WEBHOOKS_SECRETS_MAX 4
#define WEBHOOKS_KEY_MAX_BYTES 64
/* Headers of a delivery: the target's own, those of both signatures, and the end of the list. */
#define WEBHOOKS_HEADERS_MAX 6
/* Room before a body for what is signed with it: the event's id or its digest, and the time. */
#define WEBHOOKS_SIGNED_HEAD 96

/* Texts of the rows for a span of time in a flag or a query, such as "1h". */
#define WEBHOOKS_SPAN "[1-9][0-9]{0,8}[smhd]"

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

/* One key of a target's signature. */
struct webhooks_key {
    unsigned char bytes[WEBHOOKS_KEY_MAX_BYTES];
    size_t len;
};

/* One target to which events are forwarded. */
struct webhooks_target {
    char *name;
    char *upstream;   /* name of the upstream that was defined for it */
    const char *path; /* path of its URL; of the instance */
    char *header;     /* header to send with each event, or NULL */
    char *header_value;
    struct webhooks_key keys[WEBHOOKS_SECRETS_MAX]; /* of the Standard Webhooks signature */
    size_t key_count;
    char *signature_secret; /* of the signature in the form of 100ms, or NULL */
    bool by_room;           /* events of a room are sent in order */
    bool paused;            /* by the config */
    /* Only the thread of the timer "deliver" uses these. */
    unsigned failures;     /* consecutive ones */
    int64_t rest_until_ms; /* no attempt before this monotonic time */
    /* Only the thread of the timer "measure" uses these: what the gauges show. */
    int64_t pending_shown;
    int64_t dead_shown;
    int64_t paused_shown;
};

struct webhooks_log;

struct webhooks {
    const struct webhooks_options *options;
    struct webhooks_target *targets;
    size_t target_count;
    struct queue deliveries; /* with the order of rooms */
    struct queue unordered;  /* the same rows without it */
    struct webhooks_log *log;
};

/* --- webhooks.c --- */

/* Members of a received event. */
extern const struct gr_field webhooks_envelope[];

/* --- webhooks_json.c --- */

/* Parses the event in a body; NULL when it is not JSON. The event is valid until the call ends. */
const json_t *webhooks_parse(struct gr_call *call, gr_str body);

/* --- webhooks_events.c --- */

/* Query and answer of the list. */
extern const struct gr_field webhooks_list_query[];
extern const struct gr_field webhooks_list_answer[];
/* GET /webhooks/events */
gr_handler webhooks_list;
/* Timer: deletes events older than `keep`, with their deliveries. */
gr_handler webhooks_purge;

/* --- webhooks_targets.c --- */

extern const struct gr_field webhooks_target_fields[];
extern const struct gr_field webhooks_target_answer[];
/* Makes the targets of the option forward_to and defines an upstream for each. */
enum gr_err webhooks_targets_init(struct gr_self *self, struct webhooks *webhooks);
void webhooks_targets_done(const struct gr_host *host, struct webhooks *webhooks);
/* GET /webhooks/targets, POST /webhooks/targets/{target}/pause and …/resume */
gr_handler webhooks_targets_list;
gr_handler webhooks_pause;
gr_handler webhooks_resume;
/* Timer: counts what waits for each target, for the gauges and the status page. */
gr_handler webhooks_measure;
/* The targets that the options name, with what waits for them: a new array in ret_list. Needs no
 * state, for commands. */
enum gr_err webhooks_targets_read(struct gr_call *call, const struct webhooks_options *options,
                                  json_t **ret_list);
/* Pauses a target or lets it go on. *ret_known: whether the options name it. */
enum gr_err webhooks_set_paused(struct gr_call *call, const struct webhooks_options *options,
                                const char *name, bool paused, bool *ret_known);

/* --- webhooks_sign.c --- */

/* Reads the secrets of a target: "whsec_" and base64. Logs what is wrong with one, by its place. */
enum gr_err webhooks_keys_init(struct gr_self *self, const json_t *settings,
                               struct webhooks_target *target);
/* Overwrites the keys. */
void webhooks_keys_done(const struct gr_host *host, struct webhooks_target *target);
/* Adds the headers of the signatures that a target wants to *count headers. The memory before body,
 * of WEBHOOKS_SIGNED_HEAD bytes, is overwritten. false without memory. */
bool webhooks_sign(struct gr_call *call, const struct webhooks_target *target, gr_str event_id,
                   char *body, size_t len, struct gr_pair *headers, size_t *count);

/* --- webhooks_outbox.c --- */

/* The queue of all deliveries. */
struct queue webhooks_queue_of(const struct webhooks_options *options);
/* The same for the deliveries to one target of the config. */
struct queue webhooks_queue_to(const struct webhooks_options *options, const json_t *settings);
/* Timer: makes the deliveries that are due. */
gr_handler webhooks_deliver;
/* Lets deliveries go on that waited for one which is not there any more. */
enum gr_err webhooks_repair(struct gr_call *call);
/* Adds one delivery for each target. Runs inside the transaction that stores the event. room_id may
 * be NULL. */
enum gr_err webhooks_queue(struct gr_call *call, const struct webhooks *webhooks, int64_t event_seq,
                           const char *room_id, int64_t now_ms);

/* --- webhooks_deliveries.c --- */

/* Rows of the query of the list, and of the flags of the commands. */
#define WEBHOOKS_FIELD_STATE                                                                       \
    GR_FIELD("state", GR_STRING, "Only deliveries in this state",                                  \
             .values = GR_LIST("pending", "delivered", "dead", "any"), .default_doc = "dead")
#define WEBHOOKS_FIELDS_FILTER                                                                     \
    GR_FIELD("target", GR_STRING, "Only deliveries to this target"),                               \
        GR_FIELD("room_id", GR_STRING, "Only deliveries of events of this room", .binds = "room"), \
        GR_FIELD("since", GR_STRING,                                                               \
                 "Only deliveries whose last attempt failed, or whose event came, within this "    \
                 "time, such as 1h",                                                               \
                 .pattern = WEBHOOKS_SPAN, .example = "\"1h\"")
extern const struct gr_field webhooks_deliveries_query[];
extern const struct gr_field webhooks_deliveries_answer[];
extern const struct gr_field webhooks_event_answer[];
extern const struct gr_field webhooks_replay_body[];

/* Which deliveries a list or a replay is about. Unset texts are NULL. */
struct webhooks_filter {
    const char *state; /* "pending", "delivered", "dead" or "any"; not for a replay */
    const char *target;
    const char *room_id;
    const char *event_id;
    const char *since; /* WEBHOOKS_SPAN */
};
/* What the query, or the flags of a command, say. */
struct webhooks_filter webhooks_filter_of(const struct gr_call *call);
int64_t webhooks_limit_of(const struct gr_call *call);
/* Reads one page of deliveries, newest first, as a new array in ret_list. start is "" or the
 * *ret_last of the page before, which is "" at the end. */
enum gr_err webhooks_deliveries_read(struct gr_call *call, const struct webhooks_filter *filter,
                                     int64_t limit, const char *start, json_t **ret_list,
                                     const char **ret_last);
/*
 * Makes deliveries due again that were given up; with an event's id also those that were made. They
 * begin with no attempt counted, in the order of their events.
 */
enum gr_err webhooks_replay_all(struct gr_call *call, const struct webhooks_options *options,
                                const struct webhooks_filter *filter, int64_t *ret_count);
/* Reads an event as the text of a JSON object: the event as received, when, and its deliveries. The
 * text is empty when there is no such event. */
enum gr_err webhooks_event_read(struct gr_call *call, const char *event_id, gr_str *ret_text);
/* GET /webhooks/deliveries, GET /webhooks/events/{event_id}, POST /webhooks/deliveries/replay */
gr_handler webhooks_deliveries_list;
gr_handler webhooks_event_show;
gr_handler webhooks_replay;

/* --- webhooks_log.c --- */

/* One attempt of a delivery. Texts are cut to the log's size. */
struct webhooks_attempt {
    const char *target;
    gr_str event_id;
    gr_str type;
    gr_str room_id;
    int64_t number; /* from 1 */
    int status;     /* 0: there was no answer */
    const char *outcome;
};
struct webhooks_log *webhooks_log_new(size_t target_count);
void webhooks_log_free(struct webhooks_log *log);
/* Any thread. */
void webhooks_log_attempt(struct webhooks_log *log, int64_t now_ms,
                          const struct webhooks_attempt *attempt);
void webhooks_log_target(struct webhooks_log *log, size_t index, const char *name, int64_t pending,
                         int64_t dead, bool paused);
/* For the status page: the last attempts that this gateway made, and the targets. */
gr_handler webhooks_status;

/* --- webhooks_commands.c --- */

extern const struct gr_command webhooks_commands[];
