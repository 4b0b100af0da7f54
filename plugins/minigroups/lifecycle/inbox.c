#include "inbox.h"

#include "base/json.h"
#include "base/state.h"
#include "messages.h"
#include "shared/queue.h"

/* The pauses are short, because the later messages of the class wait as well. */
static const int64_t waits_ms[] = {1000, 5000, 30000, 0};
#define ATTEMPTS_MAX 4

/* The columns of a row, in the order of .columns. */
enum column { AUDIENCE = 0, SOURCE, LABEL, PAYLOAD, COLUMN_COUNT };

static const struct queue inbox = {
    .table = "minigroups_inbox",
    .key = "id",
    .order = "came_ms",
    .lane = "queue",
    .columns = "audience, source, label, payload",
    .in_order = true,
    .lease_ms = 60000,
    .waits_ms = waits_ms,
    .attempts_max = ATTEMPTS_MAX,
};

enum gr_err mini_inbox_put(struct gr_call *call, const char *queue, const char *label,
                           const struct mini_delivery *delivery)
{
    const char *payload = gr_json_text(call, delivery->payload).ptr;
    const struct gr_value values[COLUMN_COUNT] = {
        [AUDIENCE] = gr_v_text(delivery->audience),
        [SOURCE] = gr_v_str(delivery->source),
        [LABEL] = gr_v_text(label),
        [PAYLOAD] = gr_v_text(payload),
    };

    if (!payload)
        return GR_ERR_NO_MEMORY;
    enum gr_err err = queue_put(call, &inbox, queue, values, COLUMN_COUNT, 0, NULL);
    if (err == GR_OK)
        gr_timer_wake(call->self, MINI_INBOX_TIMER);
    return err;
}

static bool renew(struct gr_call *call, void *arg)
{
    bool held;

    return queue_renew(call, &inbox, arg, &held) == GR_OK && held;
}

static enum gr_err handle(struct gr_call *call, struct queue_item *item)
{
    json_t *payload = mini_json_load(queue_text(item, PAYLOAD));
    struct mini_delivery delivery = {.audience = queue_text(item, AUDIENCE),
                                     .source = gr_str_of(queue_text(item, SOURCE)),
                                     .payload = payload,
                                     .renew = renew,
                                     .renew_arg = item};
    bool given_up = false;
    enum gr_err err =
        payload ? mini_message_handle(call, queue_text(item, LABEL), &delivery) : GR_OK;

    json_decref(payload);
    if (err == GR_OK)
        return queue_done(call, &inbox, item);
    err = queue_fail(call, &inbox, item, &given_up);
    if (given_up)
        gr_log(call, GR_LOG_ERROR, "inbox: '%s' for '%s' dropped after %d attempts",
               queue_text(item, LABEL), queue_text(item, AUDIENCE), ATTEMPTS_MAX);
    return err;
}

enum gr_err mini_inbox_run(struct gr_call *call)
{
    struct queue_item item;
    size_t count = 0;
    enum gr_err err = queue_claim(call, &inbox, NULL, &item, 1, &count);

    if (err != GR_OK || count == 0)
        return err;
    /* Each run handles one message, because a message that fails also fails the call. */
    gr_timer_wake(call->self, MINI_INBOX_TIMER);
    return handle(call, &item);
}

enum gr_err mini_inbox_repair(struct gr_call *call)
{
    int64_t count = 0;
    enum gr_err err = queue_repair(call, &inbox, NULL, &count);

    if (count)
        gr_timer_wake(call->self, MINI_INBOX_TIMER);
    return err == GR_OK ? err : gr_fail(call, err, "the order of messages cannot be checked now");
}
