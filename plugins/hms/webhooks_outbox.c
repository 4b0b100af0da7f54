/*
 * Handing events on, at least once: a delivery stays in the store until its target answered 2xx or
 * was asked often enough. A delivery is claimed by moving its next turn, so that several gateways
 * on one store do not make it twice at a time.
 */
#include "webhooks.h"

#include <stdlib.h>

#define BATCH "20"
/* A claimed delivery comes up again after this, should its gateway die. */
#define CLAIM_MS 180000

const struct gr_field webhooks_target_fields[] = {
    GR_FIELD("name", GR_STRING, "name of the target, stable over time", .flags = GR_REQUIRED,
             .pattern = "[a-z][a-z0-9_]{0,31}"),
    GR_FIELD("url", GR_STRING, "where events are posted to", .flags = GR_REQUIRED,
             .pattern = "https?://[^/?#@\\s]+(/[^?#\\s]*)?"),
    GR_FIELD("header", GR_STRING, "name of a header to send along", .range = GR_RANGE(1, 64)),
    GR_FIELD("header_value", GR_STRING, "its value", .flags = GR_SECRET),
    GR_END,
};

static char *copy_text(const char *text, size_t len)
{
    char *copy = calloc(1, len + 1);

    if (copy)
        memcpy(copy, text, len);
    return copy;
}

static char *copy_member(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);

    return value ? copy_text(json_string_value(value), json_string_length(value)) : NULL;
}

static char *upstream_name(const char *target)
{
    static const char prefix[] = "webhooks/";
    size_t len = strlen(target);
    char *name = calloc(1, sizeof(prefix) + len);

    if (name) {
        memcpy(name, prefix, sizeof(prefix) - 1);
        memcpy(name + sizeof(prefix) - 1, target, len);
    }
    return name;
}

/* The URL is split: its origin becomes an upstream, its path goes with each call. */
static enum gr_err init_target(struct gr_self *self, const struct webhooks_options *options,
                               const json_t *settings, struct webhooks_target *target)
{
    const char *url = json_string_value(json_object_get(settings, "url"));
    const char *host = strstr(url, "://") + 3;
    size_t origin = (size_t)(host - url) + strcspn(host, "/");

    target->name = copy_member(settings, "name");
    target->upstream = target->name ? upstream_name(target->name) : NULL;
    target->path = copy_text(url[origin] ? url + origin : "/", strlen(url + origin) + !url[origin]);
    target->header = copy_member(settings, "header");
    target->header_value = copy_member(settings, "header_value");
    json_t *upstream = json_pack("{s:s%, s:I}", "url", url, origin, "timeout",
                                 (json_int_t)options->forward_timeout_ms);
    enum gr_err r = !target->upstream || !target->path || !upstream
                        ? GR_ERR_NO_MEMORY
                        : gr_upstream_define(self, target->upstream, upstream);
    json_decref(upstream);
    return r;
}

enum gr_err webhooks_targets_init(struct gr_self *self, struct webhooks *webhooks)
{
    const json_t *list = webhooks->options->forward_to;
    size_t count = json_array_size(list);
    enum gr_err r = GR_OK;

    if (count == 0)
        return GR_OK;
    webhooks->targets = calloc(count, sizeof(*webhooks->targets));
    if (!webhooks->targets)
        return GR_ERR_NO_MEMORY;
    for (size_t i = 0; i < count && r == GR_OK; i++) {
        webhooks->target_count = i + 1;
        r = init_target(self, webhooks->options, json_array_get(list, i), &webhooks->targets[i]);
    }
    if (r != GR_OK)
        webhooks_targets_done(webhooks);
    return r;
}

void webhooks_targets_done(struct webhooks *webhooks)
{
    for (size_t i = 0; i < webhooks->target_count; i++) {
        struct webhooks_target *target = &webhooks->targets[i];

        free(target->name);
        free(target->upstream);
        free(target->path);
        free(target->header);
        free(target->header_value);
    }
    free(webhooks->targets);
    webhooks->targets = NULL;
    webhooks->target_count = 0;
}

enum gr_err webhooks_queue(struct gr_call *call, const struct webhooks *webhooks,
                           const char *event_id, int64_t now_ms)
{
    enum gr_err r = GR_OK;

    for (size_t i = 0; i < webhooks->target_count && r == GR_OK; i++) {
        const struct gr_value values[] = {gr_v_text(event_id), gr_v_text(webhooks->targets[i].name),
                                          gr_v_int(now_ms)};

        r = gr_store(call,
                     "INSERT INTO webhook_delivery (event_id, target, next_ms)"
                     " VALUES (?1, ?2, ?3)",
                     values, 3, NULL, NULL, NULL);
    }
    return r;
}

/* One claimed delivery, copied out of the store before anything is sent. */
struct delivery {
    struct delivery *next;
    char *event_id;
    char *target;
    int64_t attempts;
    char *body;
    size_t body_len;
};

struct batch {
    struct gr_call *call;
    struct delivery *first;
    size_t count;
};

static enum gr_err take(void *arg, const struct gr_value *columns, size_t count)
{
    struct batch *batch = arg;
    struct delivery *delivery = gr_alloc(batch->call, sizeof(*delivery));

    (void)count;
    if (!delivery)
        return GR_ERR_NO_MEMORY;
    delivery->event_id = gr_copy(batch->call, columns[0].s);
    delivery->target = gr_copy(batch->call, columns[1].s);
    delivery->attempts = columns[2].i;
    if (!delivery->event_id || !delivery->target)
        return GR_ERR_NO_MEMORY;
    delivery->next = batch->first;
    batch->first = delivery;
    batch->count++;
    return GR_OK;
}

static enum gr_err take_body(void *arg, const struct gr_value *columns, size_t count)
{
    struct batch *batch = arg;

    (void)count;
    batch->first->body = gr_copy(batch->call, columns[0].s);
    batch->first->body_len = columns[0].s.len;
    return batch->first->body ? GR_OK : GR_ERR_NO_MEMORY;
}

static const struct webhooks_target *find_target(const struct webhooks *webhooks, const char *name)
{
    for (size_t i = 0; i < webhooks->target_count; i++) {
        if (strcmp(webhooks->targets[i].name, name) == 0)
            return &webhooks->targets[i];
    }
    return NULL;
}

static bool post(struct gr_call *call, const struct webhooks_target *target,
                 const struct delivery *delivery)
{
    struct gr_pair headers[3] = {
        {GR_STR("X-Webhook-Id"), gr_str_of(delivery->event_id)},
        {gr_str_of(target->header), gr_str_of(target->header_value)},
        {{NULL, 0}, {NULL, 0}},
    };
    const struct gr_upstream_request request = {
        .upstream = target->upstream,
        .method = GR_METHOD_POST,
        .path = target->path,
        .headers = headers,
        .body = {delivery->body, delivery->body_len},
    };
    struct gr_upstream_reply reply = {.err = GR_OK};

    return gr_upstream(call, &request, &reply, 1) == GR_OK && reply.status >= 200 &&
           reply.status < 300;
}

/* 1 s, 2 s, 4 s … up to 10 minutes between attempts. */
static int64_t pause_ms(int64_t attempts)
{
    int64_t shift = attempts < 10 ? attempts : 10;
    int64_t pause = (int64_t)1000 << shift;

    return pause < 600000 ? pause : 600000;
}

static enum gr_err settle(struct gr_call *call, const struct delivery *delivery, bool done,
                          bool given_up)
{
    int64_t now = gr_now_ms(call);
    const struct gr_value values[] = {
        gr_v_text(delivery->event_id),
        gr_v_text(delivery->target),
        gr_v_int(delivery->attempts + 1),
        done || given_up ? gr_v_null() : gr_v_int(now + pause_ms(delivery->attempts)),
        done ? gr_v_int(now) : gr_v_null(),
    };

    gr_metric_add(call, "delivered_total", done ? "done" : given_up ? "given_up" : "failed", 1);
    return gr_store(call,
                    "UPDATE webhook_delivery SET attempts = ?3, next_ms = ?4, done_ms = ?5"
                    " WHERE event_id = ?1 AND target = ?2",
                    values, 5, NULL, NULL, NULL);
}

static enum gr_err deliver_one(struct gr_call *call, struct batch *batch)
{
    const struct webhooks *webhooks = call->state;
    const struct delivery *delivery = batch->first;
    const struct gr_value id = gr_v_text(delivery->event_id);
    const struct webhooks_target *target = find_target(webhooks, delivery->target);

    enum gr_err r = gr_store(call, "SELECT body FROM webhook_event WHERE id = ?1", &id, 1,
                             take_body, batch, NULL);
    if (r != GR_OK || !delivery->body)
        return r;
    bool done = target && post(call, target, delivery);
    bool given_up = !done && (!target || delivery->attempts + 1 >= webhooks->options->attempts_max);
    if (given_up)
        gr_log(call, GR_LOG_ERROR, "event %s could not be handed on to '%s': given up",
               delivery->event_id, delivery->target);
    return settle(call, delivery, done, given_up);
}

enum gr_err webhooks_deliver(struct gr_call *call)
{
    const struct gr_value values[] = {gr_v_int(gr_now_ms(call)),
                                      gr_v_int(gr_now_ms(call) + CLAIM_MS)};
    struct batch batch = {call, NULL, 0};

    enum gr_err r =
        gr_store(call,
                 "UPDATE webhook_delivery SET next_ms = ?2 WHERE next_ms <= ?1"
                 " AND (event_id, target) IN (SELECT event_id, target FROM webhook_delivery"
                 " WHERE next_ms <= ?1 ORDER BY next_ms LIMIT " BATCH ")"
                 " RETURNING event_id, target, attempts",
                 values, 2, take, &batch, NULL);
    bool more = batch.count > 0;
    for (; r == GR_OK && batch.first; batch.first = batch.first->next)
        r = deliver_one(call, &batch);
    if (r == GR_OK && more)
        gr_timer_wake(call, "deliver");
    return r;
}
