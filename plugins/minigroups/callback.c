/* The callback route, and the restart of the transcoding. */
#include "access.h"
#include "bodies.h"
#include "handlers.h"
#include "ids.h"
#include "inbox.h"
#include "lifecycle.h"
#include "tasks.h"

/* One row per message that means something to a minigroup. */
static const struct message {
    const char *label;
    const struct gr_field *payload;
    mg_message_fn *handle;
    enum mg_problem failure;
    const char *in; /* member of the payload that holds the next one; NULL: the payload itself */
    const char *room;
    enum mg_class_by by; /* how the room tells the class */
} messages[] = {
    {"room.close", mg_close_payload, mg_on_close, MG_CLOSING_FAILED, NULL, "id",
     MG_BY_CONFERENCE_ROOM},
    {"room.upload", mg_upload_payload, mg_on_upload, MG_TRANSCODING_FAILED, NULL, "id",
     MG_BY_CONFERENCE_ROOM},
    {"room.adjust", mg_adjust_payload, mg_on_adjust, MG_TRANSCODING_FAILED, NULL, "room_id",
     MG_BY_EVENT_ROOM},
    {"room.dump_events", mg_dump_payload, mg_on_dump, MG_TRANSCODING_FAILED, "result", "room_id",
     MG_BY_MODIFIED_ROOM},
    {"task.complete", mg_task_payload, mg_on_task, MG_TRANSCODING_FAILED, "tags",
     "conference_room_id", MG_BY_CONFERENCE_ROOM},
    {"edition.commit", mg_edition_payload, mg_on_edition, MG_EDITION_FAILED, NULL, "source_room_id",
     MG_BY_ORIGINAL_ROOM},
};

/* Compares label and the part of the audience before ':' with the configured accounts. */
static bool is_trusted(const struct gr_call *call)
{
    const json_t *trusted = json_object_get(mg_state_of(call)->options->callbacks, "trusted");
    struct mg_account caller;

    if (!mg_account_parse(gr_caller(call), &caller))
        return false;
    for (size_t i = 0; i < json_array_size(trusted); i++) {
        struct mg_account known;
        const char *text = json_string_value(json_array_get(trusted, i));

        if (mg_account_parse(gr_str_of(text), &known) && gr_str_eq(known.label, caller.label) &&
            gr_str_eq(known.audience, mg_audience_root(caller.audience)))
            return true;
    }
    return false;
}

static gr_str source_of(struct gr_call *call)
{
    gr_str account;

    if (mg_agent_account(gr_header(call, "Gateway-Agent-Id"), &account))
        return account;
    return gr_caller(call);
}

static const struct message *find_message(gr_str label)
{
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (gr_str_eq(label, gr_str_of(messages[i].label)))
            return &messages[i];
    }
    return NULL;
}

enum gr_err mg_deliver(struct gr_call *call, const char *label, struct mg_delivery *delivery)
{
    const struct message *message = find_message(gr_str_of(label));

    if (!message)
        return GR_OK;
    delivery->failure = message->failure;
    return message->handle(call, delivery);
}

/* What a message has to stay in order with: its class; while none has its room, the room. */
static enum gr_err queue_of(struct gr_call *call, const struct message *message,
                            const json_t *payload, const char **ret_queue)
{
    const json_t *in = message->in ? json_object_get(payload, message->in) : payload;
    const char *room = json_string_value(json_object_get(in, message->room));
    struct mg_class row;

    *ret_queue = room ? room : "";
    if (!room)
        return GR_OK;
    enum gr_err err = mg_class_find(call, message->by, gr_str_of(room), (gr_str){NULL, 0}, &row);
    if (err == GR_ERR_NOT_FOUND && message->handle == mg_on_close)
        err = mg_class_find(call, MG_BY_EVENT_ROOM, gr_str_of(room), (gr_str){NULL, 0}, &row);
    if (err == GR_OK)
        *ret_queue = row.id;
    return err == GR_ERR_NOT_FOUND ? GR_OK : err;
}

static enum gr_err keep(struct gr_call *call, const struct message *message,
                        const struct mg_delivery *delivery)
{
    const char *queue;
    enum gr_err err = queue_of(call, message, delivery->payload, &queue);

    if (err == GR_OK)
        err = mg_inbox_put(call, queue, message->label, delivery);
    return err == GR_OK ? mg_reply_empty(call, 202) : mg_flow_store(call, delivery, err);
}

static enum gr_err dispatch(struct gr_call *call, const struct message *message)
{
    const struct gr_field shape = {
        .type = GR_OBJECT, .flags = GR_FIELD_REQUIRED, .fields = message->payload};
    const struct mg_delivery delivery = {.audience = gr_param(call, "audience").ptr,
                                         .source = source_of(call),
                                         .payload = gr_json(call),
                                         .failure = message->failure};
    const json_t *callbacks = mg_state_of(call)->options->callbacks;
    enum gr_err err = gr_validate(call, &shape, delivery.payload);

    gr_metric_add(call->self, "callbacks", message->label, 1);
    if (err == GR_OK && json_is_true(json_object_get(callbacks, "async")))
        return keep(call, message, &delivery);
    if (err == GR_OK)
        err = message->handle(call, &delivery);
    return err == GR_OK ? mg_reply_empty(call, 200) : err;
}

enum gr_err mg_callback(struct gr_call *call)
{
    gr_str label = gr_header(call, "Gateway-Label");
    const struct message *message;

    if (!is_trusted(call))
        return mg_fail(call, MG_ACCESS_DENIED, "this account may not report about rooms");
    if (label.len == 0)
        label = gr_query(call, "label");
    message = find_message(label);
    return message ? dispatch(call, message) : mg_reply_empty(call, 200);
}

enum gr_err mg_restart(struct gr_call *call)
{
    const char *priority = mg_member_text(gr_json(call), "priority");
    struct mg_class row;
    enum gr_err err = mg_class_of(call, "update", &row);

    if (err != GR_OK)
        return err;
    const char *reason = mg_transcode_start(call, row.id, NULL, priority ? priority : "normal");
    if (reason)
        return mg_fail(call, MG_INTERNAL, reason);
    return mg_reply_empty(call, 200);
}
