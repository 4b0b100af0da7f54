/*
 * webhooks: receives the events of 100ms and stores each of them once.
 *
 * 100ms repeats a delivery until it gets a 200, so an event is stored before it is acknowledged,
 * and an event with a known id is dropped. webhooks_outbox.c delivers events to the targets later.
 */
#include "webhooks.h"

#include <stdlib.h>

#define ID_MAX_BYTES 256u
#define SECRET_SHORT 16u

static const struct gr_option options[] = {
    GR_OPTION(webhooks_options, secret_header, GR_OPT_STRING, "X-Webhook-Secret",
              "Name of the header in which 100ms sends the secret"),
    GR_OPTION(webhooks_options, secret, GR_OPT_SECRET, NULL, "Secret in the header `secret_header`",
              .env = "WEBHOOK_SECRET"),
    GR_OPTION(webhooks_options, signature_secret, GR_OPT_SECRET, NULL,
              "Key of the signature in x-100ms-signature, for HIPAA workspaces",
              .env = "WEBHOOK_SIGNATURE_SECRET"),
    GR_OPTION(webhooks_options, keep, GR_OPT_MS, "30d", "How long events are kept",
              .range = GR_MIN(1000)),
    GR_OPTION(
        webhooks_options, max_age, GR_OPT_MS, "0",
        "Maximum distance of an event's timestamp from now, so that a recorded delivery cannot "
        "be sent again after `keep`; 0: no limit, so that 100ms can replay old events",
        .range = GR_MIN(0)),
    GR_OPTION(webhooks_options, forward_to, GR_OPT_JSON, NULL,
              "Targets to which events are forwarded",
              .json = GR_BODY(GR_ARRAY, .range = GR_MAX(WEBHOOKS_TARGETS_MAX),
                              .items = GR_ITEM(GR_OBJECT, .flags = GR_FIELD_STRICT,
                                               .fields = webhooks_target_fields))),
    GR_OPTION(webhooks_options, forward_timeout, GR_OPT_MS, "10s",
              "Time that a target has for its answer", .range = GR_RANGE(100, 60000)),
    GR_OPTION(webhooks_options, attempts_max, GR_OPT_INT, "300",
              "Attempts to deliver an event to a target before giving up; 300 take about two days",
              .range = GR_RANGE(1, 100000)),
    GR_END,
};

#define EVENT_COLUMNS                                                                              \
    " id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, room_id TEXT, session_id TEXT,"                 \
    " received_ms BIGINT NOT NULL, body TEXT NOT NULL);"                                           \
    "CREATE INDEX webhook_event_received ON webhook_event (received_ms);"                          \
    "CREATE INDEX webhook_event_type ON webhook_event (type, seq);"                                \
    "CREATE INDEX webhook_event_room ON webhook_event (room_id, seq);"                             \
    "CREATE INDEX webhook_event_session ON webhook_event (session_id, seq);"
#define DELIVERY_TABLE                                                                             \
    "CREATE TABLE webhook_delivery ("                                                              \
    " event_seq BIGINT NOT NULL REFERENCES webhook_event (seq) ON DELETE CASCADE,"                 \
    " target TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_ms BIGINT, done_ms BIGINT,"  \
    " PRIMARY KEY (event_seq, target));"                                                           \
    "CREATE INDEX webhook_delivery_due ON webhook_delivery (target, next_ms, event_seq)"

/* due_ms (first named next_ms) is when the next attempt is due; NULL: there will be none. Then
 * done_ms is when the target accepted the event; NULL: the delivery was given up. tried_ms, status
 * and failure are of the last attempt that failed. behind: see shared/queue.h. */
static const struct gr_migration migrations[] = {
    {1, "events and deliveries",
     "CREATE TABLE webhook_event (seq INTEGER PRIMARY KEY AUTOINCREMENT," EVENT_COLUMNS
         DELIVERY_TABLE,
     "CREATE TABLE webhook_event (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY "
     "KEY," EVENT_COLUMNS DELIVERY_TABLE},
    {2, "queue", "ALTER TABLE webhook_delivery RENAME COLUMN next_ms TO due_ms", NULL},
    {3, "order of rooms, failures, pauses",
     "ALTER TABLE webhook_delivery ADD COLUMN room_id TEXT;"
     "ALTER TABLE webhook_delivery ADD COLUMN tried_ms BIGINT;"
     "ALTER TABLE webhook_delivery ADD COLUMN status INTEGER;"
     "ALTER TABLE webhook_delivery ADD COLUMN failure TEXT;"
     "UPDATE webhook_delivery SET room_id = (SELECT e.room_id FROM webhook_event AS e"
     " WHERE e.seq = webhook_delivery.event_seq) WHERE done_ms IS NULL;"
     "CREATE INDEX webhook_delivery_waits ON webhook_delivery (target, event_seq)"
     " WHERE due_ms IS NOT NULL;"
     "CREATE INDEX webhook_delivery_open ON webhook_delivery (target, event_seq)"
     " WHERE done_ms IS NULL;"
     "CREATE TABLE webhook_target (name TEXT PRIMARY KEY, paused_ms BIGINT)",
     NULL},
    /* The next delivery of each room is found without reading those behind it. */
    {4, "first of each room",
     "ALTER TABLE webhook_delivery ADD COLUMN behind BIGINT NOT NULL DEFAULT 0;"
     "CREATE INDEX webhook_delivery_room ON webhook_delivery (target, room_id, event_seq)"
     " WHERE due_ms IS NOT NULL;"
     "UPDATE webhook_delivery SET behind = 1 WHERE due_ms IS NOT NULL AND EXISTS (SELECT 1"
     " FROM webhook_delivery AS e WHERE e.target = webhook_delivery.target"
     " AND e.room_id = webhook_delivery.room_id AND e.event_seq < webhook_delivery.event_seq"
     " AND e.due_ms IS NOT NULL);"
     "CREATE INDEX webhook_delivery_first ON webhook_delivery (target, due_ms, event_seq)"
     " WHERE due_ms IS NOT NULL AND behind = 0;"
     "DROP INDEX webhook_delivery_due",
     NULL},
    GR_END,
};

/* --- authentication of the sender --- */

/* Without a secret another sender could claim to be 100ms, so every delivery is refused. */
static enum gr_err authenticate(struct gr_call *call)
{
    const struct webhooks_options *o = ((const struct webhooks *)call->state)->options;

    if (!o->secret && !o->signature_secret)
        return gr_fail(call, GR_ERR_UNAUTHORIZED, "no webhook secret is configured");
    if (o->secret &&
        !gr_secret_equal(call->host, gr_header(call, o->secret_header), gr_str_of(o->secret)))
        return gr_fail(call, GR_ERR_UNAUTHORIZED, "webhook secret missing or wrong");
    return gr_set_caller(call, GR_STR("100ms"));
}

/* x-100ms-signature: the HMAC-SHA256 of the received body in hex digits. */
static bool signature_is_right(struct gr_call *call, const char *secret)
{
    unsigned char digest[32];
    unsigned char given[32];

    if (!gr_unhex(call->host, gr_header(call, "x-100ms-signature"), given, sizeof(given)))
        return false;
    gr_hmac_sha256(call->host, gr_str_of(secret), gr_body(call), digest);
    return gr_secret_equal(call->host, (gr_str){(const char *)digest, sizeof(digest)},
                           (gr_str){(const char *)given, sizeof(given)});
}

/* --- receiving --- */

const struct gr_field webhooks_envelope[] = {
    GR_FIELD("version", GR_STRING, "Version of the envelope", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("id", GR_STRING, "ID of the event; an event with a known id is dropped",
             .flags = GR_FIELD_REQUIRED, .range = GR_RANGE(1, 128)),
    GR_FIELD("account_id", GR_STRING, "Customer id of the workspace", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("app_id", GR_STRING, "ID of the app"),
    GR_FIELD("template_id", GR_STRING, "ID of the room's template"),
    GR_FIELD("timestamp", GR_TIME,
             "When the event happened; the dashboard's test event has no valid time",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_HINTS),
    GR_FIELD("type", GR_STRING, "Type of the event; unknown types are stored as well",
             .flags = GR_FIELD_REQUIRED, .range = GR_RANGE(1, 128)),
    GR_FIELD("data", GR_OBJECT, "The event itself; its members depend on the type",
             .flags = GR_FIELD_REQUIRED),
    GR_FIELD("is_replay", GR_BOOL, "Whether 100ms sends the event as part of a replay"),
    GR_END,
};
static const struct gr_field envelope_body = {
    .type = GR_OBJECT, .flags = GR_FIELD_REQUIRED, .fields = webhooks_envelope};

struct incoming {
    const struct webhooks *webhooks;
    const json_t *event;
    bool is_new;
    int64_t seq;
};

/* data may have any members. A value too long for an id is not stored in the indexed column. */
static const char *id_of(const json_t *data, const char *member)
{
    const char *id = hms_text(data, member);

    return id && strlen(id) <= ID_MAX_BYTES ? id : NULL;
}

/* Gets the row of RETURNING, which exists only for a new event. */
static enum gr_err take_seq(void *arg, const struct gr_value *columns, size_t count)
{
    struct incoming *in = arg;

    (void)count;
    in->is_new = true;
    in->seq = columns[0].i;
    return GR_OK;
}

static enum gr_err keep(struct gr_call *call, void *arg)
{
    struct incoming *in = arg;
    const json_t *data = json_object_get(in->event, "data");
    int64_t now = gr_store_now_ms(call);
    const struct gr_value values[] = {
        gr_v_text(hms_text(in->event, "id")),
        gr_v_text(hms_text(in->event, "type")),
        gr_v_text(id_of(data, "room_id")),
        gr_v_text(id_of(data, "session_id")),
        gr_v_int(now),
        gr_v_str(gr_body(call)),
    };

    in->is_new = false;
    /* An event that is known is locked, and not passed over: with a synchronous standby, the commit
     * then waits until the standby has the event, which an earlier request may not have done. */
    enum gr_err r = gr_store(call,
                             "INSERT INTO webhook_event (id, type, room_id, session_id,"
                             " received_ms, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                             " ON CONFLICT (id) DO UPDATE SET id = excluded.id WHERE FALSE"
                             " RETURNING seq",
                             values, 6, take_seq, in, NULL);
    return r == GR_OK && in->is_new
               ? webhooks_queue(call, in->webhooks, in->seq, id_of(data, "room_id"), now)
               : r;
}

static enum gr_err check_age(struct gr_call *call, const json_t *event)
{
    int64_t max_age_ms = ((const struct webhooks *)call->state)->options->max_age;
    int64_t happened_ms = 0;

    if (max_age_ms == 0)
        return GR_OK;
    if (gr_time_ms(call->host, gr_str_of(hms_text(event, "timestamp")), &happened_ms) &&
        llabs(gr_now_ms(call->host) - happened_ms) <= max_age_ms)
        return GR_OK;
    return gr_invalid(call, "timestamp", GR_PROBLEM_VALUE, "a time within %lld s of now",
                      (long long)(max_age_ms / 1000));
}

/* POST /webhooks */
static enum gr_err receive(struct gr_call *call)
{
    const struct webhooks *webhooks = call->state;
    const struct webhooks_options *o = webhooks->options;

    if (o->signature_secret && !signature_is_right(call, o->signature_secret))
        return gr_fail(call, GR_ERR_UNAUTHORIZED, "webhook signature missing or wrong");
    struct incoming in = {.webhooks = webhooks, .event = webhooks_parse(call, gr_body(call))};
    if (!in.event)
        return gr_fail(call, GR_ERR_BAD_JSON, "the body is not valid JSON");
    enum gr_err r = gr_validate(call, &envelope_body, in.event);
    if (r != GR_OK)
        return r;
    r = check_age(call, in.event);
    if (r != GR_OK)
        return r;
    r = gr_store_tx(call, keep, &in);
    if (r != GR_OK)
        return gr_fail(call, GR_ERR_STORE_DOWN, "the event cannot be kept now");
    gr_metric_add(call->self, "received_total", in.is_new ? "new" : "repeated", 1);
    if (in.is_new && webhooks->target_count)
        gr_timer_wake(call->self, "deliver");
    return gr_reply_json(call, 200, json_object());
}

static const struct gr_field receive_headers[] = {
    GR_FIELD("X-Webhook-Secret", GR_STRING,
             "The secret; the option secret_header sets the name of this header",
             .flags = GR_FIELD_SECRET),
    GR_FIELD("x-100ms-signature", GR_STRING,
             "HMAC-SHA256 of the body in hex digits, when signature_secret is configured"),
    GR_END,
};

static const struct gr_field event_params[] = {
    GR_FIELD("event_id", GR_STRING, "ID of the event", .range = GR_RANGE(1, 128)),
    GR_END,
};
static const struct gr_field target_params[] = {
    GR_FIELD("target", GR_STRING, "Name of the target"),
    GR_END,
};
static const struct gr_field targets_answer[] = {
    GR_FIELD("data", GR_ARRAY, "The targets, in the order of the config",
             .items = GR_ITEM(GR_OBJECT, .fields = webhooks_target_answer)),
    GR_END,
};
static const struct gr_field replay_body = {.type = GR_OBJECT,
                                            .flags = GR_FIELD_REQUIRED | GR_FIELD_STRICT,
                                            .fields = webhooks_replay_body};
static const struct gr_field replay_answer[] = {
    GR_FIELD("replayed", GR_INT, "Deliveries that are due again"),
    GR_END,
};

static const struct gr_route routes[] = {
    GR_POST("/webhooks", "webhooks.receive", "Receive an event from 100ms",
            .access = GR_ACCESS_GROUP, .headers = receive_headers, .body = &envelope_body,
            .handle = receive, .flags = GR_ROUTE_RAW_BODY | GR_ROUTE_ANY_CONTENT_TYPE,
            .answers = HMS_ANSWER(200, "The event is stored, or was already known",
                                  .schema = GR_BODY(GR_OBJECT), .example = "{}"),
            .doc = "The secret and the signature, when configured, are verified before the body is "
                   "parsed. 100ms repeats the delivery after an answer other than 200.",
            .source = HMS_GUIDE("configure-webhooks/overview")),
    GR_GET("/webhooks/events", "webhooks.events", "List the received events",
           .scope = "webhooks:read", .query = webhooks_list_query, .handle = webhooks_list,
           .answers =
               HMS_ANSWER(200, "One page of events", .schema = HMS_OBJECT(webhooks_list_answer),
                          .example = "{\"limit\": 50, \"last\": \"\", \"data\": []}"),
           .source = "Greenroom"),
    GR_GET("/webhooks/events/{event_id}", "webhooks.event", "Show an event and its deliveries",
           .scope = "webhooks:read", .params = event_params, .handle = webhooks_event_show,
           .answers = HMS_ANSWER(200, "The event", .schema = HMS_OBJECT(webhooks_event_answer)),
           .source = "Greenroom"),
    GR_GET("/webhooks/deliveries", "webhooks.deliveries",
           "List deliveries, by default those that were given up", .scope = "webhooks:read",
           .query = webhooks_deliveries_query, .handle = webhooks_deliveries_list,
           .answers = HMS_ANSWER(200, "One page of deliveries",
                                 .schema = HMS_OBJECT(webhooks_deliveries_answer)),
           .source = "Greenroom"),
    GR_POST("/webhooks/deliveries/replay", "webhooks.replay", "Send deliveries again",
            .scope = "webhooks:write", .body = &replay_body, .handle = webhooks_replay,
            .answers =
                HMS_ANSWER(200, "How many are sent again", .schema = HMS_OBJECT(replay_answer),
                           .example = "{\"replayed\": 3}"),
            .doc = "Deliveries that were given up become due again, in the order of their events, "
                   "and with no attempt counted.",
            .source = "Greenroom"),
    GR_GET("/webhooks/targets", "webhooks.targets", "List the targets and what waits for them",
           .scope = "webhooks:read", .handle = webhooks_targets_list,
           .answers =
               HMS_ANSWER(200, "All targets of the config", .schema = HMS_OBJECT(targets_answer)),
           .source = "Greenroom"),
    GR_POST(
        "/webhooks/targets/{target}/pause", "webhooks.pause", "Pause the deliveries to a target",
        .scope = "webhooks:write", .params = target_params, .handle = webhooks_pause,
        .answers = HMS_ANSWER(200, "The target", .schema = HMS_OBJECT(webhooks_target_answer)),
        .doc = "Holds on all gateways of the store until the target is resumed. An attempt that "
               "is under way ends.",
        .source = "Greenroom"),
    GR_POST("/webhooks/targets/{target}/resume", "webhooks.resume",
            "Resume the deliveries to a target", .scope = "webhooks:write", .params = target_params,
            .handle = webhooks_resume,
            .answers = HMS_ANSWER(200, "The target", .schema = HMS_OBJECT(webhooks_target_answer)),
            .doc = "A pause in the config stays in effect.", .source = "Greenroom"),
    GR_END,
};

static const struct gr_metric metrics[] = {
    {"received_total", GR_COUNTER, "Events received", "kind"},
    {"delivered_total", GR_COUNTER, "Deliveries to targets", "outcome"},
    {"pending", GR_GAUGE, "Deliveries that wait or are under way", "target"},
    {"dead", GR_GAUGE, "Deliveries that were given up and are kept", "target"},
    {"paused", GR_GAUGE, "Whether deliveries to the target are paused", "target"},
    GR_END,
};

static const struct gr_timer timers[] = {
    {.name = "deliver", .interval_ms = 1000, .run = webhooks_deliver},
    {.name = "purge", .interval_ms = 10000, .run = webhooks_purge},
    {.name = "measure", .interval_ms = 10000, .run = webhooks_measure},
    GR_END,
};

static bool is_short(const char *secret)
{
    return secret && strlen(secret) < SECRET_SHORT;
}

/* An empty secret would accept a sender without a secret. */
static bool secrets_fit(struct gr_self *self, const struct webhooks_options *o)
{
    if ((!o->secret || *o->secret) && (!o->signature_secret || *o->signature_secret))
        return true;
    gr_log_self(self, GR_LOG_ERROR, "a webhook secret is empty; expected a text, or no such key");
    return false;
}

static enum gr_err init(struct gr_self *self, const void *parsed, void **ret_state)
{
    if (!secrets_fit(self, parsed))
        return GR_ERR_INVALID;
    struct webhooks *webhooks = calloc(1, sizeof(*webhooks));
    if (!webhooks)
        return GR_ERR_NO_MEMORY;
    webhooks->options = parsed;
    if (!webhooks->options->secret && !webhooks->options->signature_secret)
        gr_log_self(
            self, GR_LOG_WARN,
            "no webhook secret is configured: every delivery is refused until WEBHOOK_SECRET"
            " or config.secret is set");
    if (is_short(webhooks->options->secret) || is_short(webhooks->options->signature_secret))
        gr_log_self(self, GR_LOG_WARN,
                    "a webhook secret is shorter than %u characters: it could be guessed",
                    SECRET_SHORT);
    enum gr_err r = webhooks_targets_init(self, webhooks);
    webhooks->log = r == GR_OK ? webhooks_log_new(webhooks->target_count) : NULL;
    if (!webhooks->log) {
        webhooks_targets_done(self->host, webhooks);
        free(webhooks);
        return r == GR_OK ? GR_ERR_NO_MEMORY : r;
    }
    *ret_state = webhooks;
    return GR_OK;
}

static void fini(struct gr_self *self, void *state)
{
    struct webhooks *webhooks = state;

    webhooks_log_free(webhooks->log);
    webhooks_targets_done(self->host, webhooks);
    free(webhooks);
}

static const char *const owns[] = {"/webhooks", NULL};

GR_PLUGIN("webhooks", .version = HMS_VERSION,
          .summary = "Receives, stores and forwards events of 100ms", .licence = HMS_LICENCE,
          .routes = routes, .options = options, .options_size = sizeof(struct webhooks_options),
          .migrations = migrations, .metrics = metrics, .timers = timers,
          .commands = webhooks_commands, .owns = owns, .status = webhooks_status,
          .authenticate = authenticate, .init = init, .fini = fini)
