/*
 * Webhooks: what happens becomes an event; an event with a receiver waits in the "outbox" until a
 * timer delivers it, with the documented retries. A plugin can only call upstreams that it defined
 * in init, so the origins that rooms may name as receivers stand in the config.
 */
#include "webhooks.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH_MAX 16
#define HEADERS_MAX 16
#define RETRY_COUNT 3

static const int64_t retry_ms[RETRY_COUNT] = {1000, 3000, 10000};

struct target {
    char *origin; /* "https://hooks.example.org" */
    char name[24];
};

struct sb_targets {
    size_t count;
    struct target list[];
};

/* --- targets --- */

/* The length of scheme and authority; 0 when it is no http URL. */
static size_t origin_length(const char *url)
{
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;

    return scheme && url[scheme] ? scheme + strcspn(url + scheme, "/?#") : 0;
}

static const struct target *target_of(const struct sandbox *sb, const char *url)
{
    size_t length = origin_length(url);

    for (size_t i = 0; length && sb->targets && i < sb->targets->count; i++) {
        const struct target *target = &sb->targets->list[i];

        if (strlen(target->origin) == length && strncmp(target->origin, url, length) == 0)
            return target;
    }
    return NULL;
}

static enum gr_err define_target(struct gr_self *self, struct sandbox *sb, const char *url)
{
    struct target *target = &sb->targets->list[sb->targets->count];
    json_t *settings;
    enum gr_err err;

    if (target_of(sb, url))
        return GR_OK;
    if (!origin_length(url)) {
        gr_log_self(self, GR_LOG_ERROR, "webhook target '%s' is not an http or https URL", url);
        return GR_ERR_INVALID;
    }
    target->origin = strndup(url, origin_length(url));
    snprintf(target->name, sizeof(target->name), "webhook-%zu", sb->targets->count);
    settings = json_pack("{ss si ss ss s{sb}}", "url", target->origin, "retries", 0,
                         "connect_timeout", "2s", "timeout", "10s", "breaker", "enabled", 0);
    if (!target->origin || !settings) {
        free(target->origin);
        json_decref(settings);
        return GR_ERR_NO_MEMORY;
    }
    sb->targets->count++; /* from here on freed with the rest */
    err = gr_upstream_define(self, target->name, settings);
    json_decref(settings);
    return err;
}

enum gr_err sb_webhooks_init(struct gr_self *self, struct sandbox *sb)
{
    const char *const *urls = sb->options->webhook_targets;
    const char *own = sb->options->webhook_url;
    enum gr_err err = GR_OK;
    size_t count = 1;

    for (size_t i = 0; urls && urls[i]; i++)
        count++;
    sb->targets = calloc(1, sizeof(*sb->targets) + count * sizeof(sb->targets->list[0]));
    if (!sb->targets)
        return GR_ERR_NO_MEMORY;
    if (own && *own)
        err = define_target(self, sb, own);
    for (size_t i = 0; err == GR_OK && urls && urls[i]; i++)
        err = define_target(self, sb, urls[i]);
    return err;
}

void sb_webhooks_free(struct sandbox *sb)
{
    for (size_t i = 0; sb->targets && i < sb->targets->count; i++)
        free(sb->targets->list[i].origin);
    free(sb->targets);
    sb->targets = NULL;
}

/* --- events --- */

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

/* --- delivery --- */

struct parcel {
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
    char *hex = gr_alloc(call, 65);

    gr_hmac_sha256(call->host, gr_str_of(sb->options->webhook_secret), body, digest);
    for (size_t i = 0; hex && i < sizeof(digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
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

/* The event as it goes out; a repeated one says so. */
static gr_str payload_of(struct gr_call *call, struct sandbox *sb, const json_t *row, bool replay)
{
    json_t *event = sb_copy(sb, json_object_get(row, "event"));
    gr_str body = {NULL, 0};
    char *text;

    if (replay)
        sb_set(sb, event, "is_replay", json_true());
    text = json_dumps(event, JSON_COMPACT);
    json_decref(event);
    if (text) {
        body.ptr = gr_copy(call, gr_str_of(text));
        body.len = body.ptr ? strlen(text) : 0;
    }
    free(text);
    return body;
}

/* "/path?query" of the URL as the two things an upstream call takes. */
static void split_target(struct gr_call *call, const char *url, struct gr_upstream_request *request)
{
    const char *rest = url + origin_length(url);
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

/* Collects what is due; lock held. */
static size_t take_due(struct gr_call *call, struct sandbox *sb, struct parcel *parcels,
                       struct gr_upstream_request *requests)
{
    size_t count = 0;
    const char *id;
    json_t *entry;

    json_object_foreach(sb_all(sb, "outbox"), id, entry) {
        const json_t *row = sb_find_text(sb, "webhooks", sb_text(entry, "event_id"));
        const struct target *target = target_of(sb, sb_text(row, "url"));
        struct gr_upstream_request *request = &requests[count];

        if (sb_int(entry, "next_ms") > sb->now_ms)
            continue;
        parcels[count].outbox_id = gr_copy(call, gr_str_of(id));
        parcels[count].url = target ? gr_copy(call, gr_str_of(sb_text(row, "url"))) : NULL;
        *request = (struct gr_upstream_request){.method = GR_METHOD_POST};
        if (parcels[count].url) {
            request->upstream = target->name;
            request->body = payload_of(call, sb, row, *sb_text(entry, "workflow_id"));
            request->headers = headers_of(call, sb, row, request->body);
            request->flags = GR_UPSTREAM_NO_CREDENTIAL;
            split_target(call, parcels[count].url, request);
        }
        if (parcels[count].outbox_id && ++count == BATCH_MAX)
            break;
    }
    return count;
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

/* One attempt is over: keep the result, or plan the next. */
static void settle(struct sandbox *sb, const char *outbox_id, const char *error)
{
    json_t *entry = json_incref(sb_find_text(sb, "outbox", outbox_id));
    json_t *row = sb_find_text(sb, "webhooks", sb_text(entry, "event_id"));
    int64_t attempt = sb_int(entry, "attempt");

    if (row) {
        sb_set(sb, row, "attempts", json_integer(sb_int(row, "attempts") + 1));
        sb_set(sb, row, "error", sb_pack(sb, "s", error));
    }
    if (row && *error && attempt < RETRY_COUNT && target_of(sb, sb_text(row, "url"))) {
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

/* Only 200 counts as received. */
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

/* Delivers one batch; true when it was full, so that there may be more. */
static bool deliver_batch(struct gr_call *call, struct sandbox *sb)
{
    struct parcel *parcels = gr_alloc(call, BATCH_MAX * sizeof(*parcels));
    struct gr_upstream_request *requests = gr_alloc(call, BATCH_MAX * sizeof(*requests));
    struct gr_upstream_reply *replies = gr_alloc(call, BATCH_MAX * sizeof(*replies));
    size_t count;

    if (!parcels || !requests || !replies)
        return false;
    sb_enter(sb);
    count = take_due(call, sb, parcels, requests);
    sb_leave(sb);
    for (size_t i = 0; i < count; i++) {
        /* one after the other: a receiver may count on their order */
        if (parcels[i].url)
            (void)gr_upstream(call, &requests[i], &replies[i], 1); /* the reply tells */
    }
    sb_enter(sb);
    for (size_t i = 0; i < count; i++)
        settle(sb, parcels[i].outbox_id,
               parcels[i].url ? error_of(call, &replies[i])
                              : "the receiver is not among the targets of the sandbox");
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

void sb_webhook_again(struct sandbox *sb, const char *event_id, const char *workflow_id,
                      int64_t after_ms)
{
    queue(sb, event_id, workflow_id, sb->now_ms + after_ms / sb->options->speed);
}
