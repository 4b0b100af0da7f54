/*
 * Messages on their way to the gateway: kept in the store from the moment they are taken until the
 * gateway has answered. They are sent in the order they came; one that fails is tried again later
 * and does not hold up the others, since the callback route copes with disorder. While the gateway
 * is away, all wait.
 */
#include "bridge.h"

#include "base/ids.h"

#include <stdlib.h>

#define BATCH_MAX 32
#define TOKEN_LIFETIME_S 3600

static const int64_t waits_ms[] = {1000, 5000, 30000, 120000, 600000};
#define ATTEMPTS_MAX (sizeof(waits_ms) / sizeof(waits_ms[0]) + 1)

static const char inbox_sql[] = "CREATE TABLE mqtt_bridge_inbox ("
                                " id TEXT NOT NULL PRIMARY KEY,"
                                " came_ms BIGINT NOT NULL,"
                                " audience TEXT NOT NULL,"
                                " label TEXT NOT NULL,"
                                " agent TEXT NOT NULL,"
                                " payload TEXT NOT NULL,"
                                " attempts BIGINT NOT NULL DEFAULT 0,"
                                " next_try_ms BIGINT NOT NULL);"
                                "CREATE INDEX mqtt_bridge_inbox_order"
                                " ON mqtt_bridge_inbox (came_ms, id)";

const struct gr_migration mq_migrations[] = {
    {.version = 1, .name = "inbox", .sql = inbox_sql},
    GR_END,
};

enum gr_err mq_inbox_put(struct gr_call *call, const struct mq_message *message)
{
    struct mq_state *state = mq_state_of(call);
    int64_t now = gr_now_ms(call->host);
    char id[37];

    gr_uuid(call->host, id);
    state->came_ms = now > state->came_ms ? now : state->came_ms + 1;
    const struct gr_value params[] = {gr_v_text(id),
                                      gr_v_int(state->came_ms),
                                      gr_v_text(message->audience),
                                      gr_v_text(message->label),
                                      gr_v_text(message->agent),
                                      gr_v_text(message->payload),
                                      gr_v_int(now)};
    enum gr_err err = gr_store(call,
                               "INSERT INTO mqtt_bridge_inbox"
                               " (id, came_ms, audience, label, agent, payload, next_try_ms)"
                               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                               params, 7, NULL, NULL, NULL);

    if (err == GR_OK)
        gr_timer_wake(call->self, MQ_TIMER_INBOX);
    return err;
}

const char *mq_token(struct gr_call *call)
{
    const struct mq_state *state = mq_state_of(call);
    const struct gr_jwt_key key = {.alg = "HS256", .key = state->secret};
    struct gr_account ours;
    char *token = NULL;

    if (!mini_account_parse(gr_str_of(state->options->account), &ours))
        return NULL;
    json_t *claims =
        json_pack("{s:s%, s:s%, s:s%, s:I}", "iss", ours.audience.ptr, ours.audience.len, "aud",
                  ours.audience.ptr, ours.audience.len, "sub", ours.label.ptr, ours.label.len,
                  "exp", (json_int_t)(gr_now_ms(call->host) / 1000 + TOKEN_LIFETIME_S));
    if (!claims || gr_jwt_sign(call, &key, claims, &token) != GR_OK)
        token = NULL;
    json_decref(claims);
    return token;
}

/* --- delivery --- */

struct inbox_row {
    const char *id;
    struct mq_message message;
    int64_t attempts;
};

struct batch {
    struct gr_call *call;
    struct inbox_row rows[BATCH_MAX];
    size_t count;
};

static enum gr_err read_row(void *arg, const struct gr_value *columns, size_t count)
{
    struct batch *batch = arg;

    if (count != 6 || batch->count == BATCH_MAX)
        return GR_ERR_STORE;
    struct inbox_row *row = &batch->rows[batch->count++];
    row->id = gr_copy(batch->call, columns[0].s);
    row->message.audience = gr_copy(batch->call, columns[1].s);
    row->message.label = gr_copy(batch->call, columns[2].s);
    row->message.agent = gr_copy(batch->call, columns[3].s);
    row->message.payload = gr_copy(batch->call, columns[4].s);
    row->attempts = columns[5].i;
    return row->id && row->message.audience && row->message.label && row->message.agent &&
                   row->message.payload
               ? GR_OK
               : GR_ERR_NO_MEMORY;
}

/* The status of the gateway's answer; 0: none came. */
static int post(struct gr_call *call, const struct mq_message *message)
{
    const struct gr_pair params[] = {{GR_STR("audience"), gr_str_of(message->audience)},
                                     {{NULL, 0}, {NULL, 0}}};
    const struct gr_pair headers[] = {{GR_STR("Gateway-Type"), GR_STR("event")},
                                      {GR_STR("Gateway-Label"), gr_str_of(message->label)},
                                      {GR_STR("Gateway-Agent-Id"), gr_str_of(message->agent)},
                                      {{NULL, 0}, {NULL, 0}}};
    const struct gr_upstream_request request = {.upstream = "mqtt_bridge_gateway",
                                                .method = GR_METHOD_POST,
                                                .path = "/api/v1/audiences/{audience}/events",
                                                .params = params,
                                                .headers = headers,
                                                .body = gr_str_of(message->payload),
                                                .bearer = mq_token(call)};
    struct gr_upstream_reply reply = {0};

    if (!request.bearer || gr_upstream(call, &request, &reply, 1) != GR_OK)
        return 0;
    return reply.status;
}

static enum gr_err forget(struct gr_call *call, const char *id)
{
    const struct gr_value params[] = {gr_v_text(id)};

    return gr_store(call, "DELETE FROM mqtt_bridge_inbox WHERE id = ?1", params, 1, NULL, NULL,
                    NULL);
}

static enum gr_err postpone(struct gr_call *call, const struct inbox_row *row)
{
    const struct gr_value params[] = {gr_v_text(row->id),
                                      gr_v_int(gr_now_ms(call->host) + waits_ms[row->attempts])};

    return gr_store(call,
                    "UPDATE mqtt_bridge_inbox SET attempts = attempts + 1, next_try_ms = ?2"
                    " WHERE id = ?1",
                    params, 2, NULL, NULL, NULL);
}

/* *ret_away: the gateway did not answer, so the rest of the batch need not try. */
static enum gr_err deliver(struct gr_call *call, const struct inbox_row *row, bool *ret_away)
{
    const struct mq_message *message = &row->message;
    int status = post(call, message);

    *ret_away = status == 0 || status >= 500;
    if (*ret_away)
        return GR_OK;
    if (status < 300)
        return forget(call, row->id);
    if (status == 400 || row->attempts + 1 >= (int64_t)ATTEMPTS_MAX) {
        gr_log(call, GR_LOG_ERROR, "%s of %s is dropped: the gateway answered %d", message->label,
               message->audience, status);
        return forget(call, row->id);
    }
    gr_log(call, GR_LOG_WARN, "%s of %s failed with %d, and will be tried again", message->label,
           message->audience, status);
    return postpone(call, row);
}

enum gr_err mq_inbox_run(struct gr_call *call)
{
    const struct gr_value params[] = {gr_v_int(gr_now_ms(call->host)), gr_v_int(BATCH_MAX)};
    struct batch *batch = gr_alloc(call, sizeof(*batch));
    bool away = false;

    if (!batch)
        return GR_ERR_NO_MEMORY;
    batch->call = call;
    enum gr_err err = gr_store(call,
                               "SELECT id, audience, label, agent, payload, attempts"
                               " FROM mqtt_bridge_inbox WHERE next_try_ms <= ?1"
                               " ORDER BY came_ms, id LIMIT ?2",
                               params, 2, read_row, batch, NULL);
    for (size_t i = 0; i < batch->count && err == GR_OK && !away; i++)
        err = deliver(call, &batch->rows[i], &away);
    if (err == GR_OK && batch->count == BATCH_MAX && !away)
        gr_timer_wake(call->self, MQ_TIMER_INBOX);
    return err;
}
