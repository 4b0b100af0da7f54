/*
 * Webhooks: events, and the "outbox", from which a timer delivers those with a receiver
 * (webhook_delivery.c).
 */
#include "webhooks.h"

static void queue(struct sandbox *sb, const char *event_id, const char *workflow_id, int64_t at_ms)
{
    struct sb_name id = sb_new_id(sb);

    sb_put(sb, "outbox", id.text,
           sb_pack(sb, "{ss sI si ss}", "event_id", event_id, "next_ms", (json_int_t)at_ms,
                   "attempt", 0, "workflow_id", workflow_id));
}

json_t *sb_event_data(struct sandbox *sb, const json_t *room, const json_t *session)
{
    json_t *data = sb_pack(sb, "{ss ss ss}", "room_id", sb_text(room, "id"), "room_name",
                           sb_text(room, "name"), "template_id", sb_text(room, "template_id"));

    if (session) {
        sb_set(sb, data, "session_id", sb_pack(sb, "s", sb_text(session, "id")));
        sb_set(sb, data, "session_started_at", sb_pack(sb, "s", sb_text(session, "created_at")));
    }
    return data;
}

void sb_emit(struct sandbox *sb, const char *type, const json_t *room, json_t *data)
{
    const json_t *hook = json_object_get(room, "webhook");
    const json_t *headers = hook ? json_object_get(hook, "headers") : sb->options->webhook_headers;
    const char *url = hook ? sb_text(hook, "url") : sb->options->webhook_url;
    struct sb_name id = sb_new_uuid(sb);
    json_t *event = sb_pack(sb, "{ss ss ss ss so ss so}", "version", "2.0", "id", id.text,
                            "account_id", sb->options->customer_id, "app_id", sb->options->app_id,
                            "timestamp", sb_time(sb, sb->now_ms), "type", type, "data", data);
    bool sent = url && *url;

    sb_put(sb, "webhooks", id.text,
           sb_pack(sb, "{so ss sO* ss si ss sI}", "event", event, "url", sent ? url : "", "headers",
                   headers, "status", sent ? "pending" : "none", "attempts", 0, "error", "",
                   "at_ms", (json_int_t)sb->now_ms));
    sb_trim(sb, "webhooks", SB_JOURNAL_MAX);
    if (sent)
        queue(sb, id.text, "", sb->now_ms);
}

void sb_webhook_again(struct sandbox *sb, const char *event_id, const char *workflow_id,
                      int64_t after_ms)
{
    queue(sb, event_id, workflow_id, sb->now_ms + after_ms / sb->options->speed);
}
