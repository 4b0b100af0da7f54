#include "outbox.h"

#include "config.h"
#include "rows.h"
#include "signer.h"

#define BATCH_MAX 32
#define LEASE_MS 60000

/* Waits after the first, second … failure; then the row is dropped with a line in the log. */
static const int64_t waits_ms[] = {5000, 30000, 120000, 600000, 3600000};
#define ATTEMPTS_MAX (sizeof(waits_ms) / sizeof(waits_ms[0]) + 1)

static const char *const kinds[] = {
    [MG_EVENT] = "event", [MG_CONFERENCE] = "conference", [MG_TQ] = "tq"};

struct parcel {
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
static enum gr_err insert(struct gr_call *call, const struct parcel *parcel, int64_t delay_ms)
{
    int64_t now = gr_now_ms(call->host);
    const struct gr_value params[] = {gr_v_text(parcel->id),
                                      gr_v_text(parcel->kind),
                                      gr_v_text(parcel->audience),
                                      gr_v_text(parcel->label),
                                      gr_v_text(parcel->payload),
                                      gr_v_int(now + delay_ms),
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
    const struct parcel parcel = {id, kind, audience, label, payload, 0, 0};
    enum gr_err err = insert(call, &parcel, 0);
    if (err == GR_OK)
        gr_timer_wake(call->self, MG_OUTBOX_TIMER);
    return err;
}

enum gr_err mg_outbox_keep(struct gr_call *call, enum mg_service service, const char *audience,
                           const char *request, const char *payload, const char **ret_id)
{
    char id[37];

    gr_uuid(call->host, id);
    const char *copy = gr_copy(call, gr_str_of(id));
    const struct parcel parcel = {copy, kinds[service], audience, request, payload, 0, 0};
    enum gr_err err = copy ? insert(call, &parcel, LEASE_MS) : GR_ERR_NO_MEMORY;
    if (err == GR_OK)
        *ret_id = copy;
    return err;
}

enum gr_err mg_outbox_notify(struct gr_call *call, const struct mg_class *row, const char *label,
                             int64_t duration_s)
{
    const json_t *entry = mg_config_of(mg_state_of(call)->options->notify, row->audience);

    if (!mg_config_text(entry, "url")) {
        gr_log(call, GR_LOG_INFO, "%s of class %s: nobody to notify", label, row->id);
        return GR_OK;
    }
    json_t *payload = json_pack("{s:s, s:s, s:o*}", "id", row->id, "scope", row->scope, "tags",
                                mg_json_load(row->tags));
    if (duration_s >= 0) {
        json_object_set_new(payload, "status", json_string("success"));
        json_object_set_new(payload, "stream_duration", json_integer(duration_s));
    }
    const char *text = payload ? mg_json_text(call, payload) : NULL;
    json_decref(payload);
    return text ? put(call, "notify", row->audience, label, text) : GR_ERR_NO_MEMORY;
}

/* --- out --- */

static enum gr_method method_of(const char *request)
{
    return strncmp(request, "PATCH ", 6) == 0 ? GR_METHOD_PATCH : GR_METHOD_POST;
}

static enum mg_service service_of(const char *kind)
{
    if (strcmp(kind, kinds[MG_TQ]) == 0)
        return MG_TQ;
    return strcmp(kind, kinds[MG_EVENT]) == 0 ? MG_EVENT : MG_CONFERENCE;
}

/* An answer that says "no" for good ends a repair: the room is gone, or closed already. A task is
 * tried until the queue takes it. */
static bool is_final(enum mg_service service, const struct mg_answer *answer)
{
    int status = answer->status;

    if (answer->good || service == MG_TQ)
        return answer->good;
    return answer->reachable && (status == 400 || status == 404 || status == 409 || status == 422);
}

static bool send_repair(struct gr_call *call, enum mg_service service, const char *request,
                        json_t *stolen_body)
{
    const char *path = strchr(request, ' ');
    const struct mg_request out = {.service = service,
                                   .method = method_of(request),
                                   .path = path ? path + 1 : "/",
                                   .body = stolen_body};
    struct mg_answer answer;

    (void)mg_services(call, &out, &answer, 1);
    return is_final(service, &answer);
}

void mg_outbox_room(struct gr_call *call, enum mg_service service, const char *audience,
                    const char *request, json_t *stolen_body)
{
    const char *payload = stolen_body ? mg_json_text(call, stolen_body) : NULL;

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
static bool send_notice(struct gr_call *call, const struct parcel *parcel)
{
    const struct mg_options *options = mg_state_of(call)->options;
    const json_t *entry = mg_config_of(options->notify, parcel->audience);
    const char *url = mg_config_text(entry, "url");
    const char *token = mg_service_token(call);
    struct gr_upstream_reply reply = {0};
    size_t index = 0;

    if (!url)
        return true; /* nobody wants it any more */
    while (json_array_get(options->notify, index) != entry)
        index++;
    const char *path = strchr(strstr(url, "://") + 3, '/');
    const char *agent = gr_format(call, "%s.%s", options->agent_label, options->account);
    const struct gr_pair headers[] = {{GR_STR("Gateway-Type"), GR_STR("event")},
                                      {GR_STR("Gateway-Label"), gr_str_of(parcel->label)},
                                      {GR_STR("Gateway-Agent-Id"), gr_str_of(agent)},
                                      {{NULL, 0}, {NULL, 0}}};
    const struct gr_upstream_request request = {.upstream =
                                                    gr_format(call, "minigroups_notify_%zu", index),
                                                .method = GR_METHOD_POST,
                                                .path = path ? path : "/",
                                                .headers = headers,
                                                .body = gr_str_of(parcel->payload),
                                                .bearer = token,
                                                .timeout_ms = 5000};
    return token && request.upstream && gr_upstream(call, &request, &reply, 1) == GR_OK &&
           reply.status >= 200 && reply.status < 300;
}

static bool send(struct gr_call *call, const struct parcel *parcel)
{
    if (strcmp(parcel->kind, "notify") == 0)
        return send_notice(call, parcel);
    return send_repair(call, service_of(parcel->kind), parcel->label,
                       mg_json_load(parcel->payload));
}

/* --- the timer --- */

struct batch {
    struct gr_call *call;
    struct parcel parcels[BATCH_MAX];
    size_t count;
};

static enum gr_err read_parcel(void *arg, const struct gr_value *columns, size_t count)
{
    struct batch *batch = arg;
    struct mg_row r = {batch->call, columns, count, 0, false};
    struct parcel *parcel;

    if (batch->count == BATCH_MAX)
        return GR_OK;
    parcel = &batch->parcels[batch->count++];
    parcel->id = mg_row_text(&r);
    parcel->kind = mg_row_text(&r);
    parcel->audience = mg_row_text(&r);
    parcel->label = mg_row_text(&r);
    parcel->payload = mg_row_text(&r);
    parcel->attempts = mg_row_int(&r);
    parcel->next_try_ms = mg_row_int(&r);
    return r.failed ? GR_ERR_NO_MEMORY : GR_OK;
}

/* Several gateways may share the store: only the one whose claim changes the row sends it. A
 * gateway that dies meanwhile leaves it to the others when the lease ends. */
static bool claim(struct gr_call *call, const struct parcel *parcel)
{
    const struct gr_value params[] = {gr_v_text(parcel->id), gr_v_int(parcel->next_try_ms),
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

static enum gr_err postpone(struct gr_call *call, const struct parcel *parcel)
{
    const struct gr_value params[] = {gr_v_text(parcel->id),
                                      gr_v_int(gr_now_ms(call->host) + waits_ms[parcel->attempts])};

    return gr_store(call,
                    "UPDATE minigroups_outbox SET next_try_ms = ?2, attempts = attempts + 1"
                    " WHERE id = ?1",
                    params, 2, NULL, NULL, NULL);
}

static enum gr_err deliver(struct gr_call *call, const struct parcel *parcel)
{
    if (send(call, parcel)) {
        gr_metric_add(call->self, "outbox_sent", parcel->kind, 1);
        return forget(call, parcel->id);
    }
    if (parcel->attempts + 1 >= (int64_t)ATTEMPTS_MAX) {
        gr_metric_add(call->self, "outbox_dropped", parcel->kind, 1);
        gr_log(call, GR_LOG_ERROR, "outbox: '%s' for '%s' dropped after %zu attempts",
               parcel->label, parcel->audience, (size_t)ATTEMPTS_MAX);
        return forget(call, parcel->id);
    }
    gr_log(call, GR_LOG_WARN, "outbox: '%s' for '%s' failed, will be tried again", parcel->label,
           parcel->audience);
    return postpone(call, parcel);
}

bool mg_outbox_send(struct gr_call *call, enum mg_service service, const char *id,
                    const char *request, const char *payload)
{
    const struct parcel parcel = {id, kinds[service], "", request, payload, 0, 0};

    if (!send(call, &parcel)) {
        (void)postpone(call, &parcel);
        return false;
    }
    (void)forget(call, id); /* at worst it is sent twice */
    return true;
}

enum gr_err mg_outbox_run(struct gr_call *call)
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
                               params, 2, read_parcel, batch, NULL);
    for (size_t i = 0; i < batch->count && err == GR_OK; i++) {
        if (claim(call, &batch->parcels[i]))
            err = deliver(call, &batch->parcels[i]);
    }
    if (err == GR_OK && batch->count == BATCH_MAX)
        gr_timer_wake(call->self, MG_OUTBOX_TIMER);
    return err;
}
