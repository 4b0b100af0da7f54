#include "outbox.h"

#include "base/json.h"
#include "base/state.h"
#include "calls.h"
#include "signer.h"
#include "store/columns.h"

#define BATCH_MAX 32
#define LEASE_MS 60000

/* Waits after the first, second … failure; then the row is dropped with a line in the log. */
static const int64_t waits_ms[] = {5000, 30000, 120000, 600000, 3600000};
#define ATTEMPTS_MAX (sizeof(waits_ms) / sizeof(waits_ms[0]) + 1)

static const char *const kinds[] = {
    [MINI_EVENT] = "event", [MINI_CONFERENCE] = "conference", [MINI_TQ] = "tq"};

struct outbox_row {
    const char *id;
    const char *kind;
    const char *audience;
    const char *label;
    const char *payload;
    int64_t attempts;
    int64_t next_try_ms;
};

/* --- in --- */

/* delay_ms: how long the timer leaves it alone. */
static enum gr_err insert(struct gr_call *call, const struct outbox_row *row, int64_t delay_ms)
{
    int64_t now = gr_now_ms(call->host);
    const struct gr_value params[] = {
        gr_v_text(row->id),    gr_v_text(row->kind),    gr_v_text(row->audience),
        gr_v_text(row->label), gr_v_text(row->payload), gr_v_int(now + delay_ms),
        gr_v_int(now)};

    return gr_store(call,
                    "INSERT INTO minigroups_outbox"
                    " (id, kind, audience, label, payload, next_try_ms, created_at_ms)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params, 7, NULL, NULL, NULL);
}

static enum gr_err put(struct gr_call *call, const char *kind, const char *audience,
                       const char *label, const char *payload)
{
    char id[37];

    gr_uuid(call->host, id);
    const struct outbox_row row = {id, kind, audience, label, payload, 0, 0};
    enum gr_err err = insert(call, &row, 0);
    if (err == GR_OK)
        gr_timer_wake(call->self, MINI_OUTBOX_TIMER);
    return err;
}

enum gr_err mini_outbox_keep(struct gr_call *call, enum mini_service service, const char *audience,
                             const char *request, const char *payload, const char **ret_id)
{
    char id[37];

    gr_uuid(call->host, id);
    const char *copy = gr_copy(call, gr_str_of(id));
    const struct outbox_row row = {copy, kinds[service], audience, request, payload, 0, 0};
    enum gr_err err = copy ? insert(call, &row, LEASE_MS) : GR_ERR_NO_MEMORY;
    if (err == GR_OK)
        *ret_id = copy;
    return err;
}

enum gr_err mini_outbox_notify(struct gr_call *call, const struct mini_class *row,
                               const char *label, int64_t duration_s)
{
    const json_t *entry = mini_audience_config(mini_state_of(call)->options->notify, row->audience);

    if (!mini_config_text(entry, "url")) {
        gr_log(call, GR_LOG_INFO, "%s of class %s: nobody to notify", label, row->id);
        return GR_OK;
    }
    json_t *payload = json_pack("{s:s, s:s, s:o*}", "id", row->id, "scope", row->scope, "tags",
                                mini_json_load(row->tags));
    if (duration_s >= 0) {
        json_object_set_new(payload, "status", json_string("success"));
        json_object_set_new(payload, "stream_duration", json_integer(duration_s));
    }
    const char *text = payload ? mini_json_text(call, payload) : NULL;
    json_decref(payload);
    return text ? put(call, "notify", row->audience, label, text) : GR_ERR_NO_MEMORY;
}

/* --- out --- */

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

/* An answer that says "no" for good ends a repair: the room is gone, or closed already. A task is
 * tried until the queue takes it. */
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
    const char *payload = stolen_body ? mini_json_text(call, stolen_body) : NULL;

    if (request && payload && put(call, kinds[service], audience, request, payload) == GR_OK) {
        json_decref(stolen_body);
        return;
    }
    if (!request) {
        json_decref(stolen_body);
        return;
    }
    if (!send_repair(call, service, request, stolen_body))
        gr_log(call, GR_LOG_ERROR, "%s service: '%s' failed and cannot be kept for later",
               kinds[service], request);
}

/* The n-th notify entry is reached through the upstream of that number. */
static bool send_notice(struct gr_call *call, const struct outbox_row *row)
{
    const struct mini_options *options = mini_state_of(call)->options;
    const json_t *entry = mini_audience_config(options->notify, row->audience);
    const char *url = mini_config_text(entry, "url");
    const char *token = mini_service_token(call);
    struct gr_upstream_reply reply = {0};
    size_t index = 0;

    if (!url)
        return true; /* nobody wants it any more */
    while (json_array_get(options->notify, index) != entry)
        index++;
    const char *path = strchr(strstr(url, "://") + 3, '/');
    const char *agent = gr_format(call, "%s.%s", options->agent_label, options->account);
    const struct gr_pair headers[] = {{GR_STR("Gateway-Type"), GR_STR("event")},
                                      {GR_STR("Gateway-Label"), gr_str_of(row->label)},
                                      {GR_STR("Gateway-Agent-Id"), gr_str_of(agent)},
                                      {{NULL, 0}, {NULL, 0}}};
    const struct gr_upstream_request request = {.upstream =
                                                    gr_format(call, "minigroups_notify_%zu", index),
                                                .method = GR_METHOD_POST,
                                                .path = path ? path : "/",
                                                .headers = headers,
                                                .body = gr_str_of(row->payload),
                                                .bearer = token,
                                                .timeout_ms = 5000};
    return token && request.upstream && gr_upstream(call, &request, &reply, 1) == GR_OK &&
           reply.status >= 200 && reply.status < 300;
}

static bool send(struct gr_call *call, const struct outbox_row *row)
{
    if (strcmp(row->kind, "notify") == 0)
        return send_notice(call, row);
    return send_repair(call, service_of(row->kind), row->label, mini_json_load(row->payload));
}

/* --- the timer --- */

struct batch {
    struct gr_call *call;
    struct outbox_row rows[BATCH_MAX];
    size_t count;
};

static enum gr_err read_row(void *arg, const struct gr_value *columns, size_t count)
{
    struct batch *batch = arg;
    struct mini_columns r = {batch->call, columns, count, 0, false};
    struct outbox_row *row;

    if (batch->count == BATCH_MAX)
        return GR_OK;
    row = &batch->rows[batch->count++];
    row->id = mini_column_text(&r);
    row->kind = mini_column_text(&r);
    row->audience = mini_column_text(&r);
    row->label = mini_column_text(&r);
    row->payload = mini_column_text(&r);
    row->attempts = mini_column_int(&r);
    row->next_try_ms = mini_column_int(&r);
    return r.failed ? GR_ERR_NO_MEMORY : GR_OK;
}

/* Several gateways may share the store: only the one whose claim changes the row sends it. A
 * gateway that dies meanwhile leaves it to the others when the lease ends. */
static bool claim(struct gr_call *call, const struct outbox_row *row)
{
    const struct gr_value params[] = {gr_v_text(row->id), gr_v_int(row->next_try_ms),
                                      gr_v_int(gr_now_ms(call->host) + LEASE_MS)};
    int64_t changed = 0;
    enum gr_err err = gr_store(call,
                               "UPDATE minigroups_outbox SET next_try_ms = ?3"
                               " WHERE id = ?1 AND next_try_ms = ?2",
                               params, 3, NULL, NULL, &changed);

    return err == GR_OK && changed == 1;
}

static enum gr_err forget(struct gr_call *call, const char *id)
{
    const struct gr_value params[] = {gr_v_text(id)};

    return gr_store(call, "DELETE FROM minigroups_outbox WHERE id = ?1", params, 1, NULL, NULL,
                    NULL);
}

static enum gr_err postpone(struct gr_call *call, const struct outbox_row *row)
{
    const struct gr_value params[] = {gr_v_text(row->id),
                                      gr_v_int(gr_now_ms(call->host) + waits_ms[row->attempts])};

    return gr_store(call,
                    "UPDATE minigroups_outbox SET next_try_ms = ?2, attempts = attempts + 1"
                    " WHERE id = ?1",
                    params, 2, NULL, NULL, NULL);
}

static enum gr_err deliver(struct gr_call *call, const struct outbox_row *row)
{
    if (send(call, row)) {
        gr_metric_add(call->self, "outbox_sent", row->kind, 1);
        return forget(call, row->id);
    }
    if (row->attempts + 1 >= (int64_t)ATTEMPTS_MAX) {
        gr_metric_add(call->self, "outbox_dropped", row->kind, 1);
        gr_log(call, GR_LOG_ERROR, "outbox: '%s' for '%s' dropped after %zu attempts", row->label,
               row->audience, (size_t)ATTEMPTS_MAX);
        return forget(call, row->id);
    }
    gr_log(call, GR_LOG_WARN, "outbox: '%s' for '%s' failed, will be tried again", row->label,
           row->audience);
    return postpone(call, row);
}

bool mini_outbox_send(struct gr_call *call, enum mini_service service, const char *id,
                      const char *request, const char *payload)
{
    const struct outbox_row row = {id, kinds[service], "", request, payload, 0, 0};

    if (!send(call, &row)) {
        (void)postpone(call, &row);
        return false;
    }
    (void)forget(call, id); /* at worst it is sent twice */
    return true;
}

enum gr_err mini_outbox_run(struct gr_call *call)
{
    const struct gr_value params[] = {gr_v_int(gr_now_ms(call->host)), gr_v_int(BATCH_MAX)};
    struct batch *batch = gr_alloc(call, sizeof(*batch));

    if (!batch)
        return GR_ERR_NO_MEMORY;
    batch->call = call;
    enum gr_err err = gr_store(call,
                               "SELECT id, kind, audience, label, payload, attempts, next_try_ms"
                               " FROM minigroups_outbox WHERE next_try_ms <= ?1"
                               " ORDER BY next_try_ms, created_at_ms LIMIT ?2",
                               params, 2, read_row, batch, NULL);
    for (size_t i = 0; i < batch->count && err == GR_OK; i++) {
        if (claim(call, &batch->rows[i]))
            err = deliver(call, &batch->rows[i]);
    }
    if (err == GR_OK && batch->count == BATCH_MAX)
        gr_timer_wake(call->self, MINI_OUTBOX_TIMER);
    return err;
}
