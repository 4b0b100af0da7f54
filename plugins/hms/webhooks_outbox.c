/*
 * Forwards events to the targets, at least once each: a delivery stays in the store until its
 * target answered 2xx or the attempts are used up.
 *
 * The deliveries are a durable queue (shared/queue.h) with a lane for each target, so that of
 * several gateways on one store only one makes a delivery at a time. A round claims a few
 * deliveries of each target and sends them in waves: one delivery of each target in parallel. A
 * target gets its events one at a time, in order as long as it accepts them, and waits for other
 * targets no longer than one time-out.
 */
#include "webhooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Deliveries of a target that one round claims. */
#define SHARE 4
/* A lease lasts for the time-outs of a round plus this margin for the store and for clocks that
 * differ between gateways. */
#define LEASE_MARGIN_MS 10000
/* A round reads no further bodies beyond this sum. */
#define ROUND_MAX_BYTES ((size_t)8 * 1024 * 1024)
/* Pauses before the next attempts for an event. The last one repeats. */
static const int64_t waits_ms[] = {1000,  2000,   4000,   8000,   16000, 32000,
                                   64000, 128000, 256000, 512000, 600000};
/* The longest pause before a target is tried again. */
#define REST_MAX_MS 30000

const struct gr_field webhooks_target_fields[] = {
    GR_FIELD("name", GR_STRING, "Name of the target, stable over time", .flags = GR_FIELD_REQUIRED,
             .pattern = "[a-z][a-z0-9_]{0,31}"),
    GR_FIELD("url", GR_STRING, "URL to which events are posted", .flags = GR_FIELD_REQUIRED,
             .pattern = "https?://[^/?#@\\s]+(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"),
    GR_FIELD("header", GR_STRING, "Name of a header that authenticates the gateway to the target",
             .pattern = "[A-Za-z0-9-]{1,64}"),
    GR_FIELD("header_value", GR_STRING, "Value of that header", .flags = GR_FIELD_SECRET,
             .pattern = "[ -~]+", .when = GR_WHEN("header", NULL)),
    GR_END,
};

static char *copy_member(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text ? strdup(text) : NULL;
}

static char *upstream_name(const char *target)
{
    char *name = NULL;

    return asprintf(&name, "webhooks/%s", target) < 0 ? NULL : name;
}

/* The outbox itself repeats and counts attempts, so the upstream does not. */
static enum gr_err init_target(struct gr_self *self, const struct webhooks_options *options,
                               const json_t *settings, struct webhooks_target *target)
{
    const char *url = json_string_value(json_object_get(settings, "url"));
    json_t *upstream =
        json_pack("{s:I, s:i, s:{s:b}}", "timeout", (json_int_t)options->forward_timeout, "retries",
                  0, "breaker", "enabled", 0);

    target->name = copy_member(settings, "name");
    target->upstream = target->name ? upstream_name(target->name) : NULL;
    target->header = copy_member(settings, "header");
    target->header_value = copy_member(settings, "header_value");
    enum gr_err r =
        !target->upstream || !upstream
            ? GR_ERR_NO_MEMORY
            : gr_upstream_define_url(self, target->upstream, url, upstream, &target->path);
    json_decref(upstream);
    return r;
}

static struct queue queue_of(const struct webhooks_options *options)
{
    return (struct queue){
        .table = "webhook_delivery",
        .key = "event_seq",
        .order = "event_seq",
        .lane = "target",
        .columns = "event_seq",
        .keeps_rows = true,
        .lease_ms = SHARE * options->forward_timeout + LEASE_MARGIN_MS,
        .waits_ms = waits_ms,
        .wait_count = sizeof(waits_ms) / sizeof(waits_ms[0]),
        .attempts_max = options->attempts_max,
    };
}

enum gr_err webhooks_targets_init(struct gr_self *self, struct webhooks *webhooks)
{
    const json_t *list = webhooks->options->forward_to;
    size_t count = json_array_size(list);
    enum gr_err r = GR_OK;

    webhooks->deliveries = queue_of(webhooks->options);
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
        free(target->header);
        free(target->header_value);
    }
    free(webhooks->targets);
    webhooks->targets = NULL;
    webhooks->target_count = 0;
}

enum gr_err webhooks_queue(struct gr_call *call, const struct webhooks *webhooks, int64_t event_seq,
                           int64_t now_ms)
{
    enum gr_err r = GR_OK;

    for (size_t i = 0; i < webhooks->target_count && r == GR_OK; i++) {
        const struct gr_value values[] = {gr_v_int(event_seq), gr_v_text(webhooks->targets[i].name),
                                          gr_v_int(now_ms)};

        r = gr_store(call,
                     "INSERT INTO webhook_delivery (event_seq, target, due_ms)"
                     " VALUES (?1, ?2, ?3)",
                     values, 3, NULL, NULL, NULL);
    }
    return r;
}

/* --- one round: a few deliveries of each target --- */

/* One claimed delivery. */
struct delivery {
    struct queue_item item;
    gr_str body; /* NULL: the event was purged */
    bool done;
    bool given_up;
};

/* The deliveries of one target in this round, in the order of the events. */
struct turn {
    struct webhooks_target *target;
    struct delivery list[SHARE];
    size_t count;
    size_t next; /* index of the delivery to send next */
};

struct round {
    struct gr_call *call;
    const struct queue *queue;
    struct turn *turns;
    size_t turn_count;
    size_t bytes; /* sum of the bodies read */
    /* The turns with a delivery in this wave, their requests and their replies. */
    struct turn *wave[WEBHOOKS_TARGETS_MAX];
    struct gr_upstream_request requests[WEBHOOKS_TARGETS_MAX];
    struct gr_upstream_reply replies[WEBHOOKS_TARGETS_MAX];
    size_t wave_count;
};

/* --- claiming --- */

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum gr_err claim(struct round *round, struct turn *turn)
{
    struct queue_item items[SHARE];

    if (turn->target->rest_until_ms > monotonic_ms())
        return GR_OK;
    enum gr_err r =
        queue_claim(round->call, round->queue, turn->target->name, items, SHARE, &turn->count);
    for (size_t i = 0; i < turn->count; i++)
        turn->list[i] = (struct delivery){.item = items[i]};
    return r;
}

/* Makes claimed deliveries that were not sent due again. If this fails, their lease expires. */
static void release(struct round *round)
{
    enum gr_err r = GR_OK;

    for (size_t i = 0; i < round->turn_count; i++) {
        struct turn *turn = &round->turns[i];

        for (; turn->next < turn->count && r == GR_OK; turn->next++)
            r = queue_release(round->call, round->queue, &turn->list[turn->next].item);
    }
}

/* --- sending --- */

struct reading {
    struct round *round;
    struct delivery *delivery;
};

static enum gr_err take_body(void *arg, const struct gr_value *columns, size_t count)
{
    struct reading *reading = arg;
    char *body = gr_copy(reading->round->call, columns[0].s);

    (void)count;
    if (!body)
        return GR_ERR_NO_MEMORY;
    reading->delivery->body = (gr_str){body, columns[0].s.len};
    reading->round->bytes += columns[0].s.len;
    return GR_OK;
}

static enum gr_err read_body(struct round *round, struct delivery *delivery)
{
    const struct gr_value seq = delivery->item.key;
    struct reading reading = {round, delivery};

    return gr_store(round->call, "SELECT body FROM webhook_event WHERE seq = ?1", &seq, 1,
                    take_body, &reading, NULL);
}

static void add_request(struct round *round, struct turn *turn)
{
    const struct webhooks_target *target = turn->target;
    struct gr_pair *headers = gr_alloc(round->call, 2 * sizeof(*headers));
    size_t at = round->wave_count++;

    if (headers && target->header)
        headers[0] = (struct gr_pair){gr_str_of(target->header), gr_str_of(target->header_value)};
    round->wave[at] = turn;
    round->requests[at] = (struct gr_upstream_request){
        .upstream = target->upstream,
        .method = GR_METHOD_POST,
        .path = target->path,
        .headers = headers,
        .body = turn->list[turn->next].body,
    };
    round->replies[at] = (struct gr_upstream_reply){.err = GR_ERR_INTERNAL};
}

/* Loads the next delivery of each target and skips deliveries of events purged meanwhile. */
static enum gr_err load_wave(struct round *round)
{
    round->wave_count = 0;
    for (size_t i = 0; i < round->turn_count && round->bytes < ROUND_MAX_BYTES; i++) {
        struct turn *turn = &round->turns[i];

        if (turn->target->rest_until_ms > monotonic_ms())
            continue;
        for (; turn->next < turn->count; turn->next++) {
            enum gr_err r = read_body(round, &turn->list[turn->next]);

            if (r != GR_OK)
                return r;
            if (turn->list[turn->next].body.ptr)
                break;
        }
        if (turn->next < turn->count)
            add_request(round, turn);
    }
    return GR_OK;
}

/* --- settling --- */

/* Pause of a target after this many consecutive failures: 1 s, 2 s, 4 s … */
static int64_t rest_ms(unsigned failures)
{
    int64_t rest = (int64_t)1000 << (failures < 10 ? failures : 10);

    return rest < REST_MAX_MS ? rest : REST_MAX_MS;
}

/* A target that is down or overloaded is paused. A target that refuses one event is not. */
static void judge(struct turn *turn, const struct gr_upstream_reply *reply)
{
    struct delivery *delivery = &turn->list[turn->next];
    struct webhooks_target *target = turn->target;
    bool answered = reply->err == GR_OK;

    delivery->done = answered && reply->status >= 200 && reply->status < 300;
    if (answered && reply->status != 429 && reply->status < 500) {
        target->failures = 0;
        return;
    }
    target->rest_until_ms = monotonic_ms() + rest_ms(target->failures);
    target->failures++;
}

static enum gr_err settle_all(struct gr_call *call, void *arg)
{
    const struct round *round = arg;
    enum gr_err r = GR_OK;

    for (size_t i = 0; i < round->wave_count && r == GR_OK; i++) {
        struct delivery *delivery = &round->wave[i]->list[round->wave[i]->next];

        r = delivery->done ? queue_done(call, round->queue, &delivery->item)
                           : queue_fail(call, round->queue, &delivery->item, &delivery->given_up);
    }
    return r;
}

static void tell(struct round *round, const struct turn *turn)
{
    const struct delivery *delivery = &turn->list[turn->next];

    gr_metric_add(round->call->self, "delivered_total",
                  delivery->done       ? "done"
                  : delivery->given_up ? "given_up"
                                       : "failed",
                  1);
    if (delivery->given_up)
        gr_log(round->call, GR_LOG_ERROR, "event %lld could not be delivered to '%s': given up",
               (long long)delivery->item.key.i, turn->target->name);
}

static enum gr_err run_wave(struct round *round)
{
    /* The result is in each reply. */
    (void)gr_upstream(round->call, round->requests, round->replies, round->wave_count);
    for (size_t i = 0; i < round->wave_count; i++)
        judge(round->wave[i], &round->replies[i]);
    enum gr_err r = gr_store_tx(round->call, settle_all, round);
    for (size_t i = 0; i < round->wave_count; i++) {
        tell(round, round->wave[i]);
        round->wave[i]->next++;
    }
    return r;
}

/* --- the timer --- */

/* Claims and sends one share of each target. Returns whether anything was claimed. */
static bool run_round(struct round *round, enum gr_err *ret_err)
{
    size_t claimed = 0;
    enum gr_err r = GR_OK;

    for (size_t i = 0; i < round->turn_count && r == GR_OK; i++) {
        r = claim(round, &round->turns[i]);
        claimed += round->turns[i].count;
    }
    while (r == GR_OK) {
        r = load_wave(round);
        if (r != GR_OK || round->wave_count == 0)
            break;
        r = run_wave(round);
    }
    release(round);
    *ret_err = r;
    return claimed > 0;
}

enum gr_err webhooks_deliver(struct gr_call *call)
{
    struct webhooks *webhooks = call->state;
    struct round *round;
    enum gr_err r;

    if (webhooks->target_count == 0)
        return GR_OK;
    round = gr_alloc(call, sizeof(*round));
    if (!round)
        return GR_ERR_NO_MEMORY;
    round->call = call;
    round->queue = &webhooks->deliveries;
    round->turn_count = webhooks->target_count;
    round->turns = gr_alloc(call, round->turn_count * sizeof(*round->turns));
    if (!round->turns)
        return GR_ERR_NO_MEMORY;
    for (size_t i = 0; i < round->turn_count; i++)
        round->turns[i].target = &webhooks->targets[i];
    bool more = run_round(round, &r);
    if (r != GR_OK)
        return gr_fail(call, r, "deliveries have to wait for the store");
    if (more)
        gr_timer_wake(call->self, "deliver");
    return GR_OK;
}
