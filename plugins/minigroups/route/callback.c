/* The callback route and the restart of the transcoding. */
#include "access.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/problem.h"
#include "base/state.h"
#include "handlers.h"
#include "lifecycle/inbox.h"
#include "lifecycle/messages.h"
#include "lifecycle/tasks.h"
#include "requests.h"

/* True when the caller is in callbacks.trusted. Only the part of its audience before ':' is
 * compared, because a bridge appends the tenant after it. */
static bool is_trusted(const struct gr_call *call)
{
    const json_t *trusted = json_object_get(mini_state_of(call)->options->callbacks, "trusted");
    struct gr_account caller = gr_caller_account(call);

    caller.audience = mini_audience_root(caller.audience);
    for (size_t i = 0; i < json_array_size(trusted); i++) {
        if (mini_account_is(&caller, json_string_value(json_array_get(trusted, i))))
            return true;
    }
    return false;
}

/* Returns the label of the service that sent the message. A trusted caller may forward messages of
 * other services and gives their agent id. */
static gr_str source_of(struct gr_call *call)
{
    struct gr_account account;
    gr_str id;

    if (mini_agent_account(gr_header(call, "Gateway-Agent-Id"), &id) &&
        mini_account_parse(id, &account))
        return account.label;
    return gr_caller_account(call).label;
}

static enum gr_err keep(struct gr_call *call, const struct mini_message_type *message,
                        const struct mini_delivery *delivery)
{
    const char *queue;
    enum gr_err err = mini_message_queue(call, message, delivery->payload, &queue);

    if (err == GR_OK)
        err = mini_inbox_put(call, queue, message->label, delivery);
    return err == GR_OK ? mini_reply_empty(call, 202) : mini_flow_store(call, delivery, err);
}

static enum gr_err dispatch(struct gr_call *call, const struct mini_message_type *message)
{
    const struct gr_field shape = {
        .type = GR_OBJECT, .flags = GR_FIELD_REQUIRED, .fields = message->payload};
    const struct mini_delivery delivery = {.audience = gr_param(call, "audience").ptr,
                                           .source = source_of(call),
                                           .payload = gr_json(call),
                                           .failure = message->failure};
    const json_t *callbacks = mini_state_of(call)->options->callbacks;
    enum gr_err err = gr_validate(call, &shape, delivery.payload);

    gr_metric_add(call->self, "callbacks", message->label, 1);
    if (err == GR_OK && json_is_true(json_object_get(callbacks, "async")))
        return keep(call, message, &delivery);
    if (err == GR_OK)
        err = message->handle(call, &delivery);
    return err == GR_OK ? mini_reply_empty(call, 200) : err;
}

enum gr_err mini_callback(struct gr_call *call)
{
    gr_str label = gr_header(call, "Gateway-Label");
    const struct mini_message_type *message;

    if (!is_trusted(call))
        return mini_fail(call, MINI_ACCESS_DENIED, "this account may not report events of rooms");
    if (label.len == 0)
        label = gr_query(call, "label");
    message = mini_message_type_find(label);
    return message ? dispatch(call, message) : mini_reply_empty(call, 200);
}

enum gr_err mini_restart(struct gr_call *call)
{
    const char *priority = mini_json_member(gr_json(call), "priority");
    struct mini_class row;
    enum gr_err err = mini_load_class(call, "update", &row);

    if (err != GR_OK)
        return err;
    const char *reason =
        mini_transcode_start(call, NULL, row.id, NULL, priority ? priority : "normal");
    if (reason)
        return mini_fail(call, MINI_INTERNAL, reason);
    return mini_reply_empty(call, 200);
}
