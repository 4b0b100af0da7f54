#include "outbox.h"

#include "base/json.h"
#include "base/state.h"
#include "calls.h"
#include "signer.h"

#define BATCH_MAX 32
#define LEASE_MS 60000 /* much longer than the time-out of one request */

static const int64_t waits_ms[] = {5000, 30000, 120000, 600000, 3600000, 0};
#define ATTEMPTS_MAX 6

/* The columns of a row, in the order of .columns. */
enum column { KIND = 0, AUDIENCE, LABEL, PAYLOAD, COLUMN_COUNT };

static const struct queue outbox = {
    .table = "minigroups_outbox",
    .key = "id",
    .order = "came_ms",
    .columns = "kind, audience, label, payload",
    .lease_ms = LEASE_MS,
    .waits_ms = waits_ms,
    .attempts_max = ATTEMPTS_MAX,
};

static const char *const kinds[] = {
    [MINI_EVENT] = "event", [MINI_CONFERENCE] = "conference", [MINI_TQ] = "tq"};

/* A request in the outbox. */
struct outbox_row {
    const char *kind; /* "notify", or the name of a service */
    const char *audience;
    const char *label;   /* label of a notification, otherwise "METHOD /path" */
    const char *payload; /* JSON text */
};

/* --- adding --- */

/* delay_ms: time until the timer may send the row. */
static enum gr_err put(struct gr_call *call, const struct outbox_row *row, int64_t delay_ms,
                       struct queue_item *ret_item)
{
    const struct gr_value values[COLUMN_COUNT] = {
        [KIND] = gr_v_text(row->kind),
        [AUDIENCE] = gr_v_text(row->audience),
        [LABEL] = gr_v_text(row->label),
        [PAYLOAD] = gr_v_text(row->payload),
    };

    return queue_put(call, &outbox, NULL, values, COLUMN_COUNT, delay_ms, ret_item);
}

static enum gr_err put_now(struct gr_call *call, const struct outbox_row *row)
{
    enum gr_err err = put(call, row, 0, NULL);

    if (err == GR_OK)
        gr_timer_wake(call->self, MINI_OUTBOX_TIMER);
    return err;
}

enum gr_err mini_outbox_keep(struct gr_call *call, enum mini_service service, const char *audience,
                             const char *request, const char *payload, struct queue_item *ret_item)
{
    const struct outbox_row row = {kinds[service], audience, request, payload};

    return put(call, &row, LEASE_MS, ret_item);
}

/* Returns the target for notifications of an audience; NULL when there is none. */
static const struct mini_notify *notify_target(const struct gr_call *call, const char *audience)
{
    const struct mini_state *state = mini_state_of(call);

    for (size_t i = 0; i < state->notify_count; i++) {
        if (strcmp(state->notify[i].audience, audience) == 0)
            return &state->notify[i];
    }
    return NULL;
}

enum gr_err mini_outbox_notify(struct gr_call *call, const struct mini_class *row,
                               const char *label, int64_t duration_s)
{
    if (!notify_target(call, row->audience)) {
        gr_log(call, GR_LOG_INFO, "%s of class %s is not sent: its audience has no notify URL",
               label, row->id);
        return GR_OK;
    }
    json_t *payload = json_pack("{s:s, s:s, s:o*}", "id", row->id, "scope", row->scope, "tags",
                                mini_json_load(row->tags));
    if (duration_s >= 0) {
        json_object_set_new(payload, "status", json_string("success"));
        json_object_set_new(payload, "stream_duration", json_integer(duration_s));
    }
    const char *text = payload ? gr_json_text(call, payload).ptr : NULL;
    json_decref(payload);
    const struct outbox_row notice = {"notify", row->audience, label, text};
    return text ? put_now(call, &notice) : GR_ERR_NO_MEMORY;
}

/* --- sending --- */

static enum gr_method method_of(const char *request)
{
    return strncmp(request, "PATCH ", 6) == 0 ? GR_METHOD_PATCH : GR_METHOD_POST;
}

static enum mini_service service_of(const char *kind)
{
    if (strcmp(kind, kinds[MINI_TQ]) == 0)
        return MINI_TQ;
    return strcmp(kind, kinds[MINI_EVENT]) == 0 ? MINI_EVENT : MINI_CONFERENCE;
}

/* A permanent refusal ends a repair, because the room does not exist or is already closed. A task
 * is tried until the queue accepts it. */
static bool is_final(enum mini_service service, const struct mini_answer *answer)
{
    int status = answer->status;

    if (answer->good || service == MINI_TQ)
        return answer->good;
    return answer->reachable && (status == 400 || status == 404 || status == 409 || status == 422);
}

static bool send_repair(struct gr_call *call, enum mini_service service, const char *request,
                        json_t *stolen_body)
{
    const char *path = strchr(request, ' ');
    const struct mini_request out = {.service = service,
                                     .method = method_of(request),
                                     .path = path ? path + 1 : "/",
                                     .body = stolen_body};
    struct mini_answer answer;

    (void)mini_service_calls(call, &out, &answer, 1);
    return is_final(service, &answer);
}

void mini_outbox_room(struct gr_call *call, enum mini_service service, const char *audience,
                      const char *request, json_t *stolen_body)
{
    const char *payload = stolen_body ? gr_json_text(call, stolen_body).ptr : NULL;
    const struct outbox_row row = {kinds[service], audience, request, payload};

    if (request && payload && put_now(call, &row) == GR_OK) {
        json_decref(stolen_body);
        return;
    }
    if (!request) {
        json_decref(stolen_body);
        return;
    }
    if (!send_repair(call, service, request, stolen_body))
        gr_log(call, GR_LOG_ERROR,
               "%s service: '%s' failed and could not be stored for another attempt",
               kinds[service], request);
}

static bool send_notice(struct gr_call *call, const struct outbox_row *row)
{
    const struct mini_options *options = mini_state_of(call)->options;
    const struct mini_notify *target = notify_target(call, row->audience);
    const char *token = mini_service_token(call);
    struct gr_upstream_reply reply = {0};

    if (!target)
        return true; /* the URL was removed from the config */
    const char *agent = gr_format(call, "%s.%s", options->agent_label, options->account);
    const struct gr_pair headers[] = {{GR_STR("Gateway-Type"), GR_STR("event")},
                                      {GR_STR("Gateway-Label"), gr_str_of(row->label)},
                                      {GR_STR("Gateway-Agent-Id"), gr_str_of(agent)},
                                      {{NULL, 0}, {NULL, 0}}};
    const struct gr_upstream_request request = {.upstream = target->upstream,
                                                .method = GR_METHOD_POST,
                                                .path = target->path,
                                                .headers = headers,
                                                .body = gr_str_of(row->payload),
                                                .bearer = token,
                                                .timeout_ms = 5000};
    return token && agent && gr_upstream(call, &request, &reply, 1) == GR_OK &&
           reply.status >= 200 && reply.status < 300;
}

static bool send(struct gr_call *call, const struct outbox_row *row)
{
    if (strcmp(row->kind, "notify") == 0)
        return send_notice(call, row);
    return send_repair(call, service_of(row->kind), row->label, mini_json_load(row->payload));
}

/* --- the timer --- */

static enum gr_err deliver(struct gr_call *call, const struct queue_item *item)
{
    const struct outbox_row row = {queue_text(item, KIND), queue_text(item, AUDIENCE),
                                   queue_text(item, LABEL), queue_text(item, PAYLOAD)};
    bool given_up = false;

    if (send(call, &row)) {
        gr_metric_add(call->self, "outbox_sent", row.kind, 1);
        return queue_done(call, &outbox, item);
    }
    enum gr_err err = queue_fail(call, &outbox, item, &given_up);
    if (given_up) {
        gr_metric_add(call->self, "outbox_dropped", row.kind, 1);
        gr_log(call, GR_LOG_ERROR, "outbox: '%s' for '%s' dropped after %d attempts", row.label,
               row.audience, ATTEMPTS_MAX);
    } else {
        gr_log(call, GR_LOG_WARN, "outbox: '%s' for '%s' failed and will be tried again", row.label,
               row.audience);
    }
    return err;
}

bool mini_outbox_send(struct gr_call *call, enum mini_service service,
                      const struct queue_item *item, const char *request, const char *payload)
{
    const struct outbox_row row = {kinds[service], "", request, payload};
    bool sent = send(call, &row);
    bool given_up;
    enum gr_err err =
        sent ? queue_done(call, &outbox, item) : queue_fail(call, &outbox, item, &given_up);

    if (err != GR_OK)
        gr_log(call, GR_LOG_WARN,
               "outbox: the result of '%s' could not be stored; it will be sent again", request);
    return sent;
}

enum gr_err mini_outbox_run(struct gr_call *call)
{
    size_t sent = 0;
    size_t count = 1;
    enum gr_err err = GR_OK;

    /* Each claim is one row: its lease covers one request, and several gateways share the work. */
    for (; sent < BATCH_MAX && count && err == GR_OK; sent++) {
        struct queue_item item;

        err = queue_claim(call, &outbox, NULL, &item, 1, &count);
        if (err == GR_OK && count)
            err = deliver(call, &item);
    }
    if (err == GR_OK && count)
        gr_timer_wake(call->self, MINI_OUTBOX_TIMER);
    return err;
}
