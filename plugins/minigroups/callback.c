/* The callback route, and the restart of the transcoding. */
#include "access.h"
#include "bodies.h"
#include "handlers.h"
#include "ids.h"
#include "lifecycle.h"
#include "tasks.h"

/* One row per message that means something to a minigroup. */
static const struct {
    const char *label;
    const struct gr_field *payload;
    mg_message_fn *handle;
    enum mg_problem failure;
} messages[] = {
    {"room.close", mg_close_payload, mg_on_close, MG_CLOSING_FAILED},
    {"room.upload", mg_upload_payload, mg_on_upload, MG_TRANSCODING_FAILED},
    {"room.adjust", mg_adjust_payload, mg_on_adjust, MG_TRANSCODING_FAILED},
    {"room.dump_events", mg_dump_payload, mg_on_dump, MG_TRANSCODING_FAILED},
    {"task.complete", mg_task_payload, mg_on_task, MG_TRANSCODING_FAILED},
    {"edition.commit", mg_edition_payload, mg_on_edition, MG_EDITION_FAILED},
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

static enum gr_err dispatch(struct gr_call *call, size_t index)
{
    const struct gr_field shape = {
        .type = GR_OBJECT, .flags = GR_REQUIRED, .fields = messages[index].payload};
    const struct mg_delivery delivery = {.audience = gr_param(call, "audience").ptr,
                                         .source = source_of(call),
                                         .payload = gr_json(call),
                                         .failure = messages[index].failure};
    enum gr_err err = gr_validate(call, &shape, delivery.payload);

    gr_metric_add(call, "callbacks", messages[index].label, 1);
    if (err == GR_OK)
        err = messages[index].handle(call, &delivery);
    return err == GR_OK ? mg_reply_empty(call, 200) : err;
}

enum gr_err mg_callback(struct gr_call *call)
{
    gr_str label = gr_header(call, "Gateway-Label");

    if (!is_trusted(call))
        return mg_fail(call, MG_ACCESS_DENIED, "this account may not report about rooms");
    if (label.len == 0)
        label = gr_query(call, "label");
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (gr_str_eq(label, gr_str_of(messages[i].label)))
            return dispatch(call, i);
    }
    return mg_reply_empty(call, 200);
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
