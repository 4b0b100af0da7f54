/*
 * Messages for the gateway. They are in the store from their arrival until the gateway has
 * answered, and are sent in the order in which they came. A message that fails is tried again later
 * without delaying the others, because the callback route accepts messages in any order. While the
 * gateway is not reachable, all messages wait. Several bridges may share one store.
 */
#include "bridge.h"

#include "base/ids.h"
#include "shared/queue.h"

#define BATCH_MAX 32
#define TOKEN_LIFETIME_S 3600

static const int64_t waits_ms[] = {1000, 5000, 30000, 120000, 600000, 0};
#define ATTEMPTS_MAX 6

/* The columns of a row, in the order of .columns. */
enum column { AUDIENCE = 0, LABEL, AGENT, PAYLOAD, COLUMN_COUNT };

static const struct queue inbox = {
    .table = "mqtt_bridge_inbox",
    .key = "id",
    .order = "came_ms",
    .columns = "audience, label, agent, payload",
    .lease_ms = 60000,
    .waits_ms = waits_ms,
    .attempts_max = ATTEMPTS_MAX,
};

enum gr_err mq_inbox_put(struct gr_call *call, const struct mq_message *message)
{
    const struct gr_value values[COLUMN_COUNT] = {
        [AUDIENCE] = gr_v_text(message->audience),
        [LABEL] = gr_v_text(message->label),
        [AGENT] = gr_v_text(message->agent),
        [PAYLOAD] = gr_v_text(message->payload),
    };
    enum gr_err err = queue_put(call, &inbox, NULL, values, COLUMN_COUNT, 0, NULL);

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

/* Returns the status of the gateway's answer; 0 without an answer. */
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

/* Sets *ret_away when the gateway failed or is not reachable, so that other messages wait. */
static enum gr_err deliver(struct gr_call *call, const struct queue_item *item, bool *ret_away)
{
    const struct mq_message message = {queue_text(item, AUDIENCE), queue_text(item, LABEL),
                                       queue_text(item, AGENT), queue_text(item, PAYLOAD)};
    int status = post(call, &message);
    bool given_up = status == 400; /* a malformed message will not succeed later */
    enum gr_err err;

    *ret_away = status == 0 || status >= 500;
    if (*ret_away)
        return queue_release(call, &inbox, item);
    if (status < 300)
        return queue_done(call, &inbox, item);
    err = given_up ? queue_give_up(call, &inbox, item) : queue_fail(call, &inbox, item, &given_up);
    if (given_up)
        gr_log(call, GR_LOG_ERROR, "%s of %s is dropped: the gateway answered %d", message.label,
               message.audience, status);
    else
        gr_log(call, GR_LOG_WARN, "%s of %s failed with status %d and will be tried again",
               message.label, message.audience, status);
    return err;
}

enum gr_err mq_inbox_run(struct gr_call *call)
{
    size_t count = 1;
    bool away = false;
    enum gr_err err = GR_OK;

    /* Each claim is one message: its lease covers one request, and several bridges share the work.
     */
    for (size_t i = 0; i < BATCH_MAX && count && err == GR_OK && !away; i++) {
        struct queue_item item;

        err = queue_claim(call, &inbox, NULL, &item, 1, &count);
        if (err == GR_OK && count)
            err = deliver(call, &item, &away);
    }
    if (err == GR_OK && count && !away)
        gr_timer_wake(call->self, MQ_TIMER_INBOX);
    return err;
}
