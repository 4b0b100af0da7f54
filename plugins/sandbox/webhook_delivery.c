/* Delivers webhooks from the "outbox", with the documented retries. */
#include "webhooks.h"

#define BATCH_MAX 16
#define HEADERS_MAX 16
#define RETRY_COUNT 3

static const int64_t retry_ms[RETRY_COUNT] = {1000, 3000, 10000};

struct delivery {
    const char *outbox_id;
    const char *url;
};

static void add_header(struct gr_pair *headers, size_t *count, const char *name, const char *value)
{
    if (*count < HEADERS_MAX)
        headers[(*count)++] = (struct gr_pair){gr_str_of(name), gr_str_of(value)};
}

static const char *signature_of(struct gr_call *call, struct sandbox *sb, gr_str body)
{
    unsigned char digest[32];
    char *hex = gr_alloc(call, 2 * sizeof(digest) + 1);

    gr_hmac_sha256(call->host, gr_str_of(sb->options->webhook_secret), body, digest);
    if (hex)
        gr_hex(call->host, digest, sizeof(digest), hex);
    return hex;
}

static const struct gr_pair *headers_of(struct gr_call *call, struct sandbox *sb, const json_t *row,
                                        gr_str body)
{
    struct gr_pair *headers = gr_alloc(call, (HEADERS_MAX + 1) * sizeof(*headers));
    const char *secret = sb->options->webhook_secret;
    size_t count = 0;
    const char *name;
    json_t *value;

    if (!headers)
        return NULL;
    json_object_foreach(json_object_get(row, "headers"), name, value) {
        if (json_is_string(value))
            add_header(headers, &count, gr_copy(call, gr_str_of(name)),
                       gr_copy(call, gr_str_of(json_string_value(value))));
    }
    if (secret && *secret)
        add_header(headers, &count, "x-100ms-signature", signature_of(call, sb, body));
    return headers;
}

/* Returns the body to send, with is_replay for a replay. */
static gr_str payload_of(struct gr_call *call, struct sandbox *sb, const json_t *row, bool replay)
{
    json_t *event = sb_copy(sb, json_object_get(row, "event"));
    gr_str body;

    if (replay)
        sb_set(sb, event, "is_replay", json_true());
    body = gr_json_text(call, event);
    json_decref(event);
    return body;
}

/* Sets path and query of the request from the receiver's URL. */
static void split_target(struct gr_call *call, const char *url, struct gr_upstream_request *request)
{
    const char *rest = sb_target_path(url);
    size_t length = strcspn(rest, "?#");
    char *path = gr_copy(call, (gr_str){rest, length});
    char *query = rest[length] == '?' ? gr_copy(call, gr_str_of(rest + length + 1)) : NULL;
    struct gr_pair *pairs = query ? gr_alloc(call, (strlen(query) + 2) * sizeof(*pairs)) : NULL;
    size_t count = 0;
    char *pair;

    request->path = path && *path ? path : "/";
    while (pairs && (pair = strsep(&query, "&"))) {
        char *name = strsep(&pair, "=");

        pairs[count++] = (struct gr_pair){gr_str_of(name), gr_str_of(pair)};
    }
    request->query = pairs;
}

/* Collects the due deliveries. The lock is held. */
static size_t take_due(struct gr_call *call, struct sandbox *sb, struct delivery *deliveries,
                       struct gr_upstream_request *requests)
{
    size_t count = 0;
    const char *id;
    json_t *entry;

    json_object_foreach(sb_all(sb, "outbox"), id, entry) {
        const json_t *row = sb_find_text(sb, "webhooks", sb_text(entry, "event_id"));
        const char *upstream = sb_target_upstream(sb, sb_text(row, "url"));
        struct gr_upstream_request *request = &requests[count];

        if (sb_int(entry, "next_ms") > sb->now_ms)
            continue;
        deliveries[count].outbox_id = gr_copy(call, gr_str_of(id));
        deliveries[count].url = upstream ? gr_copy(call, gr_str_of(sb_text(row, "url"))) : NULL;
        *request = (struct gr_upstream_request){.method = GR_METHOD_POST};
        if (deliveries[count].url) {
            request->upstream = upstream;
            request->body = payload_of(call, sb, row, *sb_text(entry, "workflow_id"));
            request->headers = headers_of(call, sb, row, request->body);
            request->flags = GR_UPSTREAM_NO_CREDENTIAL;
            split_target(call, deliveries[count].url, request);
        }
        if (deliveries[count].outbox_id && ++count == BATCH_MAX)
            break;
    }
    return count;
}

void sb_workflow_settle(struct sandbox *sb, json_t *workflow)
{
    const json_t *progress = json_object_get(workflow, "progress");
    int64_t completed = sb_int(progress, "completed");
    int64_t failed = sb_int(progress, "failed");
    json_t *result;

    if (completed + failed < sb_int(progress, "total"))
        return;
    sb_set(sb, workflow, "status",
           sb_pack(sb, "s",
                   !failed     ? "completed"
                   : completed ? "completed_with_failures"
                               : "failed"));
    sb_set(sb, workflow, "completed_at", sb_time(sb, sb->now_ms));
    result = sb_copy(sb, progress);
    sb_set(sb, result, "failed_events", sb_copy(sb, json_object_get(workflow, ".failed_events")));
    sb_set(sb, workflow, "result", result);
}

static void count_replay(struct sandbox *sb, const char *workflow_id, const char *event_id,
                         bool good)
{
    json_t *workflow = sb_find_text(sb, "workflows", workflow_id);
    json_t *progress = json_object_get(workflow, "progress");
    const char *member = good ? "completed" : "failed";

    if (!workflow)
        return;
    sb_set(sb, progress, member, json_integer(sb_int(progress, member) + 1));
    if (!good)
        sb_append(sb, json_object_get(workflow, ".failed_events"), sb_pack(sb, "s", event_id));
    sb_workflow_settle(sb, workflow);
}

/* Stores the result of an attempt and schedules the next one after a failure. */
static void settle(struct sandbox *sb, const char *outbox_id, const char *error)
{
    json_t *entry = json_incref(sb_find_text(sb, "outbox", outbox_id));
    json_t *row = sb_find_text(sb, "webhooks", sb_text(entry, "event_id"));
    int64_t attempt = sb_int(entry, "attempt");

    if (row) {
        sb_set(sb, row, "attempts", json_integer(sb_int(row, "attempts") + 1));
        sb_set(sb, row, "error", sb_pack(sb, "s", error));
    }
    if (row && *error && attempt < RETRY_COUNT && sb_target_upstream(sb, sb_text(row, "url"))) {
        sb_set(sb, entry, "attempt", json_integer(attempt + 1));
        sb_set(sb, entry, "next_ms",
               json_integer(sb->now_ms + retry_ms[attempt] / sb->options->speed));
    } else if (entry) {
        if (row)
            sb_set(sb, row, "status", sb_pack(sb, "s", *error ? "failed" : "success"));
        count_replay(sb, sb_text(entry, "workflow_id"), sb_text(entry, "event_id"), !*error);
        sb_drop(sb, "outbox", outbox_id);
    }
    json_decref(entry);
}

/* Returns the error of a delivery; "" for the status 200, the only success. */
static const char *error_of(struct gr_call *call, const struct gr_upstream_reply *reply)
{
    char *text;

    if (reply->err == GR_OK && reply->status == 200)
        return "";
    if (reply->err == GR_ERR_UPSTREAM_TIMEOUT)
        return "timeout";
    if (reply->err != GR_OK)
        return "connection failed";
    text = gr_format(call, "status %d", reply->status);
    return text ? text : "refused";
}

/* Delivers one batch. True when it was full, so that there may be more. */
static bool deliver_batch(struct gr_call *call, struct sandbox *sb)
{
    struct delivery *deliveries = gr_alloc(call, BATCH_MAX * sizeof(*deliveries));
    struct gr_upstream_request *requests = gr_alloc(call, BATCH_MAX * sizeof(*requests));
    struct gr_upstream_reply *replies = gr_alloc(call, BATCH_MAX * sizeof(*replies));
    size_t count;

    if (!deliveries || !requests || !replies)
        return false;
    sb_enter(sb);
    count = take_due(call, sb, deliveries, requests);
    sb_leave(sb);
    for (size_t i = 0; i < count; i++) {
        /* One after the other, because a receiver may depend on the order. */
        if (deliveries[i].url)
            (void)gr_upstream(call, &requests[i], &replies[i], 1); /* the result is in the reply */
    }
    sb_enter(sb);
    for (size_t i = 0; i < count; i++)
        settle(sb, deliveries[i].outbox_id,
               deliveries[i].url ? error_of(call, &replies[i])
                                 : "the receiver is not in webhook_targets");
    sb_leave(sb);
    return count == BATCH_MAX;
}

enum gr_err sb_webhooks_run(struct gr_call *call)
{
    struct sandbox *sb = call->state;

    for (int rounds = 0; rounds < 8; rounds++) {
        if (!deliver_batch(call, sb))
            break;
    }
    return GR_OK;
}
