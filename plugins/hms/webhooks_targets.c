/*
 * The targets of the option forward_to: what they are, what waits for them, and their pause. A
 * pause of the config holds on every gateway with that config; one of a route or a command is a row
 * of the store, and holds on all gateways at once.
 */
#include "webhooks.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_PATTERN "[a-z][a-z0-9_]{0,31}"

const struct gr_field webhooks_target_fields[] = {
    GR_FIELD("name", GR_STRING, "Name of the target, stable over time", .flags = GR_FIELD_REQUIRED,
             .pattern = NAME_PATTERN),
    GR_FIELD("url", GR_STRING, "URL to which events are posted", .flags = GR_FIELD_REQUIRED,
             .pattern = "https?://[^/?#@\\s]+(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"),
    GR_FIELD("header", GR_STRING, "Name of a header that authenticates the gateway to the target",
             .pattern = "[A-Za-z0-9-]{1,64}"),
    GR_FIELD("header_value", GR_STRING, "Value of that header", .flags = GR_FIELD_SECRET,
             .pattern = "[ -~]+", .when = GR_WHEN("header", NULL)),
    GR_FIELD("secrets", GR_ARRAY,
             "Secrets of the Standard Webhooks signature; each signs, so that one can be replaced",
             .flags = GR_FIELD_SECRET, .range = GR_RANGE(1, WEBHOOKS_SECRETS_MAX),
             .items = GR_ITEM(GR_STRING, .pattern = "whsec_[A-Za-z0-9+/]+={0,2}")),
    GR_FIELD("signature_secret", GR_STRING, "Key of a signature in the form of x-100ms-signature",
             .flags = GR_FIELD_SECRET, .range = GR_MIN(1)),
    GR_FIELD("order", GR_STRING,
             "Whether an event waits for the earlier ones of its room, or for none",
             .values = GR_LIST("room", "none"), .default_doc = "room"),
    GR_FIELD("paused", GR_BOOL, "Whether deliveries wait until this is false again",
             .default_doc = "false"),
    GR_END,
};

const struct gr_field webhooks_target_answer[] = {
    GR_FIELD("name", GR_STRING, "Name of the target"),
    GR_FIELD("paused", GR_BOOL, "Whether deliveries wait, because of the config or of a pause"),
    GR_FIELD("pending", GR_INT, "Deliveries that wait or are under way"),
    GR_FIELD("dead", GR_INT, "Deliveries that were given up"),
    GR_END,
};

/* --- the config --- */

static char *copy_member(const json_t *object, const char *member)
{
    const char *text = hms_text(object, member);

    return text ? strdup(text) : NULL;
}

static char *upstream_name(const char *target)
{
    char *name = NULL;

    return asprintf(&name, "webhooks/%s", target) < 0 ? NULL : name;
}

/* The outbox itself repeats and counts attempts, so the upstream does not. */
static enum gr_err define_upstream(struct gr_self *self, const struct webhooks_options *options,
                                   const json_t *settings, struct webhooks_target *target)
{
    const char *url = hms_text(settings, "url");
    json_t *upstream =
        json_pack("{s:I, s:i, s:{s:b}}", "timeout", (json_int_t)options->forward_timeout, "retries",
                  0, "breaker", "enabled", 0);
    enum gr_err r =
        upstream ? gr_upstream_define_url(self, target->upstream, url, upstream, &target->path)
                 : GR_ERR_NO_MEMORY;

    json_decref(upstream);
    return r;
}

static enum gr_err init_target(struct gr_self *self, const struct webhooks_options *options,
                               const json_t *settings, struct webhooks_target *target)
{
    target->name = copy_member(settings, "name");
    target->upstream = target->name ? upstream_name(target->name) : NULL;
    target->header = copy_member(settings, "header");
    target->header_value = copy_member(settings, "header_value");
    target->signature_secret = copy_member(settings, "signature_secret");
    target->by_room = !webhooks_queue_to(options, settings).unordered;
    target->paused = json_is_true(json_object_get(settings, "paused"));
    if (!target->upstream)
        return GR_ERR_NO_MEMORY;
    enum gr_err r = webhooks_keys_init(self, settings, target);
    return r == GR_OK ? define_upstream(self, options, settings, target) : r;
}

enum gr_err webhooks_targets_init(struct gr_self *self, struct webhooks *webhooks)
{
    const json_t *list = webhooks->options->forward_to;
    size_t count = json_array_size(list);
    enum gr_err r = GR_OK;

    webhooks->deliveries = webhooks_queue_of(webhooks->options);
    webhooks->unordered = webhooks->deliveries;
    webhooks->unordered.unordered = true;
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
        webhooks_targets_done(self->host, webhooks);
    return r;
}

void webhooks_targets_done(const struct gr_host *host, struct webhooks *webhooks)
{
    for (size_t i = 0; i < webhooks->target_count; i++) {
        struct webhooks_target *target = &webhooks->targets[i];

        webhooks_keys_done(host, target);
        free(target->name);
        free(target->upstream);
        free(target->header);
        free(target->header_value);
        free(target->signature_secret);
    }
    free(webhooks->targets);
    webhooks->targets = NULL;
    webhooks->target_count = 0;
}

/* --- what waits for each --- */

/* Takes one row (name, paused, pending, dead) into the object of that name, if there is one. */
static enum gr_err take_counts(void *arg, const struct gr_value *columns, size_t count)
{
    json_t *list = arg;
    json_t *target;
    size_t i;

    (void)count;
    json_array_foreach(list, i, target) {
        if (!gr_str_eq(gr_str_of(hms_text(target, "name")), columns[0].s))
            continue;
        if (columns[1].i)
            json_object_set_new(target, "paused", json_true());
        json_object_set_new(target, "pending", json_integer(columns[2].i));
        json_object_set_new(target, "dead", json_integer(columns[3].i));
    }
    return GR_OK;
}

/* New reference; NULL without memory. */
static json_t *named_targets(const struct webhooks_options *options)
{
    json_t *list = json_array();
    const json_t *settings;
    size_t i;

    json_array_foreach(options->forward_to, i, settings) {
        json_t *target =
            json_pack("{s:O, s:b, s:i, s:i}", "name", json_object_get(settings, "name"), "paused",
                      json_is_true(json_object_get(settings, "paused")), "pending", 0, "dead", 0);

        if (json_array_append_new(list, target) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

enum gr_err webhooks_targets_read(struct gr_call *call, const struct webhooks_options *options,
                                  json_t **ret_list)
{
    json_t *list = named_targets(options);

    if (!list)
        return GR_ERR_NO_MEMORY;
    enum gr_err r =
        gr_store_query(call,
                       /* The deliveries are read once, since there may be many. */
                       "SELECT name, MAX(paused), SUM(pending), SUM(dead) FROM"
                       " (SELECT name, COALESCE(paused_ms, 0) AS paused, 0 AS pending, 0 AS dead"
                       " FROM webhook_target UNION ALL SELECT target, 0, COUNT(due_ms),"
                       " COUNT(*) - COUNT(due_ms) FROM webhook_delivery WHERE done_ms IS NULL"
                       " GROUP BY target) AS n GROUP BY name",
                       GR_NO_PARAMS, take_counts, list);
    if (r != GR_OK)
        json_decref(list);
    else
        *ret_list = list;
    return r;
}

/* Moves a gauge from what it shows to a value. */
static void show(struct gr_call *call, const char *gauge, const char *target, int64_t *shown,
                 int64_t value)
{
    gr_metric_add(call->self, gauge, target, value - *shown);
    *shown = value;
}

enum gr_err webhooks_measure(struct gr_call *call)
{
    struct webhooks *webhooks = call->state;
    json_t *list = NULL;

    if (webhooks->target_count == 0)
        return GR_OK;
    enum gr_err r = webhooks_targets_read(call, webhooks->options, &list);
    if (r != GR_OK)
        return gr_fail(call, r, "deliveries cannot be counted now");
    for (size_t i = 0; i < webhooks->target_count; i++) {
        struct webhooks_target *target = &webhooks->targets[i];
        const json_t *found = json_array_get(list, i); /* in the order of the config */
        bool paused = json_is_true(json_object_get(found, "paused"));
        int64_t pending = json_integer_value(json_object_get(found, "pending"));
        int64_t dead = json_integer_value(json_object_get(found, "dead"));

        show(call, "pending", target->name, &target->pending_shown, pending);
        show(call, "dead", target->name, &target->dead_shown, dead);
        show(call, "paused", target->name, &target->paused_shown, paused);
        webhooks_log_target(webhooks->log, i, target->name, pending, dead, paused);
    }
    json_decref(list);
    return GR_OK;
}

/* --- pauses --- */

enum gr_err webhooks_set_paused(struct gr_call *call, const struct webhooks_options *options,
                                const char *name, bool paused, bool *ret_known)
{
    const json_t *settings;
    size_t i;

    *ret_known = false;
    json_array_foreach(options->forward_to, i, settings) {
        const char *other = hms_text(settings, "name");

        *ret_known = *ret_known || (other && strcmp(other, name) == 0);
    }
    if (!*ret_known)
        return GR_OK;
    /* A second pause does not change the time of the first one. */
    return gr_store_exec(
        call,
        paused ? "INSERT INTO webhook_target (name, paused_ms) VALUES (?1, ?2) ON CONFLICT (name)"
                 " DO UPDATE SET paused_ms = COALESCE(webhook_target.paused_ms, ?2)"
               : "UPDATE webhook_target SET paused_ms = NULL WHERE name = ?1 AND ?2 > 0",
        GR_PARAMS(gr_v_text(name), gr_v_int(gr_store_now_ms(call))));
}

/* --- routes --- */

enum gr_err webhooks_targets_list(struct gr_call *call)
{
    const struct webhooks *webhooks = call->state;
    json_t *list = NULL;

    if (webhooks_targets_read(call, webhooks->options, &list) != GR_OK)
        return gr_fail(call, GR_ERR_STORE_DOWN, "the targets cannot be read now");
    return gr_reply_json(call, 200, json_pack("{s:o}", "data", list));
}

/* Replies with the target of that name. */
static enum gr_err reply_target(struct gr_call *call, const char *name)
{
    const struct webhooks *webhooks = call->state;
    json_t *list = NULL;
    json_t *found = NULL;
    json_t *target;
    size_t i;

    if (webhooks_targets_read(call, webhooks->options, &list) != GR_OK)
        return gr_fail(call, GR_ERR_STORE_DOWN, "the target cannot be read now");
    json_array_foreach(list, i, target) {
        if (strcmp(hms_text(target, "name"), name) == 0)
            found = json_incref(target);
    }
    json_decref(list);
    return gr_reply_json(call, 200, found);
}

static enum gr_err set_paused(struct gr_call *call, bool paused)
{
    const struct webhooks *webhooks = call->state;
    const char *name = gr_param(call, "target").ptr;
    bool known = false;

    if (webhooks_set_paused(call, webhooks->options, name, paused, &known) != GR_OK)
        return gr_fail(call, GR_ERR_STORE_DOWN, "the pause cannot be kept now");
    if (!known)
        return gr_fail(call, GR_ERR_NOT_FOUND, "no target has the name '%s'", name);
    gr_log(call, GR_LOG_WARN, "deliveries to '%s' %s", name, paused ? "are paused" : "go on");
    gr_timer_wake(call->self, "deliver");
    gr_timer_wake(call->self, "measure");
    return reply_target(call, name);
}

enum gr_err webhooks_pause(struct gr_call *call)
{
    return set_paused(call, true);
}

enum gr_err webhooks_resume(struct gr_call *call)
{
    return set_paused(call, false);
}
