/*
 * Forwards events to the targets, at least once each: a delivery stays in the store until its
 * target answered 2xx or the attempts are used up.
 *
 * The deliveries are a durable queue (shared/queue.h) with a lane for each target, so that of
 * several gateways on one store only one makes a delivery at a time. A round claims a few
 * deliveries of each target and sends them in waves: one delivery of each target in parallel. A
 * target gets the events of a gateway one at a time, and waits for other targets no longer than one
 * time-out. Events of one room are a series of the queue: each waits until those before it were
 * accepted or given up, on whichever gateway. So a claim has at most one event of each room; when
 * it was accepted, and fewer rooms than SHARE were due, the room's next event follows in the same
 * round.
 */
#include "webhooks.h"

#include <time.h>

/* Deliveries of a target that one round claims. */
#define SHARE 4
/* A lease lasts for the time-outs of a round plus this margin for the store. */
#define LEASE_MARGIN_MS 10000
/* A round reads no further bodies beyond this sum. */
#define ROUND_MAX_BYTES ((size_t)8 * 1024 * 1024)
/* Pauses before the next attempts for an event. The last one repeats. */
static const int64_t waits_ms[] = {1000,  2000,   4000,   8000,   16000,  32000,
                                   64000, 128000, 256000, 512000, 600000, 0};
/* The longest pause before a target is tried again. */
#define REST_MAX_MS 30000

struct queue webhooks_queue_of(const struct webhooks_options *options)
{
    return (struct queue){
        .table = "webhook_delivery",
        .key = "event_seq",
        .order = "event_seq",
        .lane = "target",
        .columns = "room_id",
        .series = "room_id",
        .pauses = "webhook_target",
        .keeps_rows = true,
        .lease_ms = SHARE * options->forward_timeout + LEASE_MARGIN_MS,
        .waits_ms = waits_ms,
        .attempts_max = options->attempts_max,
    };
}

struct queue webhooks_queue_to(const struct webhooks_options *options, const json_t *settings)
{
    struct queue queue = webhooks_queue_of(options);
    const char *order = json_string_value(json_object_get(settings, "order"));

    queue.unordered = order && strcmp(order, "none") == 0;
    return queue;
}

static const struct queue *queue_of(const struct webhooks *webhooks,
                                    const struct webhooks_target *target)
{
    return target->by_room ? &webhooks->deliveries : &webhooks->unordered;
}

enum gr_err webhooks_queue(struct gr_call *call, const struct webhooks *webhooks, int64_t event_seq,
                           const char *room_id, int64_t now_ms)
{
    enum gr_err r = GR_OK;

    for (size_t i = 0; i < webhooks->target_count && r == GR_OK; i++) {
        const struct gr_value values[] = {gr_v_int(event_seq), gr_v_text(webhooks->targets[i].name),
                                          gr_v_int(now_ms), gr_v_text(room_id)};

        const char *behind =
            queue_behind(call, queue_of(webhooks, &webhooks->targets[i]), "?2", "?4");
        const char *sql = !behind ? NULL
                                  : gr_format(call,
                                              "INSERT INTO webhook_delivery (event_seq, target,"
                                              " due_ms, room_id, behind) VALUES (?1, ?2, ?3, ?4,"
                                              " %s)",
                                              behind);

        r = sql ? gr_store(call, sql, values, 4, NULL, NULL, NULL) : GR_ERR_NO_MEMORY;
    }
    return r;
}

enum gr_err webhooks_repair(struct gr_call *call)
{
    const struct webhooks *webhooks = call->state;
    enum gr_err r = GR_OK;

    for (size_t i = 0; i < webhooks->target_count && r == GR_OK; i++) {
        const struct webhooks_target *target = &webhooks->targets[i];
        int64_t count = 0;

        r = queue_repair(call, queue_of(webhooks, target), target->name, &count);
        if (count)
            gr_timer_wake(call->self, "deliver");
    }
    return r;
}

/* --- one round: a few deliveries of each target --- */

/* One claimed delivery. */
struct delivery {
    struct queue_item item;
    char *body; /* after WEBHOOKS_SIGNED_HEAD bytes; NULL: the event was purged */
    size_t len;
    gr_str event_id;
    gr_str type;
    bool tried; /* it was sent, or there was nothing to send: it is not released */
    bool held;  /* an earlier event of its room has to be sent again */
    bool done;
    bool given_up;
};

/* The deliveries of one target in this round, in the order of the events. */
struct turn {
    struct webhooks_target *target;
    const struct queue *queue;
    struct delivery list[SHARE];
    size_t count;
    struct delivery *next; /* the delivery of this wave */
    /* The next event of its room, which was claimed when that delivery was made. */
    struct queue_item following;
    bool follows;
};

struct round {
    struct gr_call *call;
    struct webhooks *webhooks;
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

    if (turn->target->paused || turn->target->rest_until_ms > monotonic_ms())
        return GR_OK;
    /* After an error, what was claimed has a lease that expires. */
    enum gr_err r =
        queue_claim(round->call, turn->queue, turn->target->name, items, SHARE, &turn->count);
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

        for (size_t j = 0; j < turn->count && r == GR_OK; j++) {
            if (!turn->list[j].tried)
                r = queue_release(round->call, turn->queue, &turn->list[j].item);
        }
    }
}

/* --- sending --- */

struct reading {
    struct round *round;
    struct delivery *delivery;
};

/* Takes one row (body, id, type). */
static enum gr_err take_event(void *arg, const struct gr_value *columns, size_t count)
{
    struct reading *reading = arg;
    struct delivery *delivery = reading->delivery;
    struct gr_call *call = reading->round->call;
    size_t len = columns[0].s.len;
    char *room = gr_alloc(call, WEBHOOKS_SIGNED_HEAD + len + 1);

    (void)count;
    delivery->event_id = (gr_str){gr_copy(call, columns[1].s), columns[1].s.len};
    delivery->type = (gr_str){gr_copy(call, columns[2].s), columns[2].s.len};
    if (!room || !delivery->event_id.ptr || !delivery->type.ptr)
        return GR_ERR_NO_MEMORY;
    delivery->body = room + WEBHOOKS_SIGNED_HEAD;
    delivery->len = len;
    if (len)
        memcpy(delivery->body, columns[0].s.ptr, len);
    reading->round->bytes += len;
    return GR_OK;
}

static enum gr_err read_event(struct round *round, struct delivery *delivery)
{
    const struct gr_value seq = delivery->item.key;
    struct reading reading = {round, delivery};

    return gr_store(round->call, "SELECT body, id, type FROM webhook_event WHERE seq = ?1", &seq, 1,
                    take_event, &reading, NULL);
}

static enum gr_err add_request(struct round *round, struct turn *turn)
{
    const struct webhooks_target *target = turn->target;
    const struct delivery *delivery = turn->next;
    struct gr_pair *headers = gr_alloc(round->call, WEBHOOKS_HEADERS_MAX * sizeof(*headers));
    size_t at = round->wave_count;
    size_t count = 0;

    if (!headers)
        return GR_ERR_NO_MEMORY;
    if (target->header)
        headers[count++] =
            (struct gr_pair){gr_str_of(target->header), gr_str_of(target->header_value)};
    if (!webhooks_sign(round->call, target, delivery->event_id, delivery->body, delivery->len,
                       headers, &count))
        return GR_ERR_NO_MEMORY;
    round->wave[at] = turn;
    round->requests[at] = (struct gr_upstream_request){
        .upstream = target->upstream,
        .method = GR_METHOD_POST,
        .path = target->path,
        .headers = headers,
        .body = {delivery->body, delivery->len},
    };
    round->replies[at] = (struct gr_upstream_reply){.err = GR_ERR_INTERNAL};
    round->wave_count++;
    return GR_OK;
}

/* Whether the lease lasts for one more attempt. It does not when this gateway was stopped for a
 * while, and another one may have claimed the delivery. */
static bool lease_lasts(const struct round *round, const struct delivery *delivery)
{
    return delivery->item.lease_ms - gr_store_now_ms(round->call) >=
           round->webhooks->options->forward_timeout;
}

/* Chooses the next delivery of a target: turn->next, or NULL. Events that were purged meanwhile are
 * skipped. */
static enum gr_err choose(struct round *round, struct turn *turn)
{
    enum gr_err r = GR_OK;

    turn->next = NULL;
    for (size_t i = 0; i < turn->count && !turn->next && r == GR_OK; i++) {
        struct delivery *delivery = &turn->list[i];

        if (delivery->tried || delivery->held || !lease_lasts(round, delivery))
            continue;
        r = read_event(round, delivery);
        delivery->tried = r == GR_OK;
        turn->next = delivery->body ? delivery : NULL;
    }
    return r;
}

/* Loads the next delivery of each target. */
static enum gr_err load_wave(struct round *round)
{
    enum gr_err r = GR_OK;

    round->wave_count = 0;
    for (size_t i = 0; i < round->turn_count && r == GR_OK && round->bytes < ROUND_MAX_BYTES; i++) {
        struct turn *turn = &round->turns[i];

        if (turn->target->rest_until_ms > monotonic_ms())
            continue;
        r = choose(round, turn);
        if (r == GR_OK && turn->next)
            r = add_request(round, turn);
    }
    return r;
}

/* --- settling --- */

/* Pause of a target after this many consecutive failures: 1 s, 2 s, 4 s … */
static int64_t rest_ms(unsigned failures)
{
    int64_t rest = (int64_t)1000 << (failures < 10 ? failures : 10);

    return rest < REST_MAX_MS ? rest : REST_MAX_MS;
}

/* Later events of the same room wait for a delivery that failed. */
static void hold_room(struct turn *turn)
{
    const char *room = queue_text(&turn->next->item, 0);

    for (size_t i = 0; i < turn->count && !turn->queue->unordered && *room; i++) {
        if (strcmp(queue_text(&turn->list[i].item, 0), room) == 0)
            turn->list[i].held = true;
    }
}

/* A target that is down or overloaded is left alone for a while. A target that refuses one event is
 * not. */
static void judge(struct turn *turn, const struct gr_upstream_reply *reply)
{
    struct webhooks_target *target = turn->target;
    bool answered = reply->err == GR_OK;

    turn->next->done = answered && reply->status >= 200 && reply->status < 300;
    if (!turn->next->done)
        hold_room(turn);
    if (answered && reply->status != 429 && reply->status < 500) {
        target->failures = 0;
        return;
    }
    target->rest_until_ms = monotonic_ms() + rest_ms(target->failures);
    target->failures++;
}

/* Why there was no answer: the stable name of the error; NULL: there was one. */
static const char *failure_of(const struct gr_upstream_reply *reply)
{
    static const struct {
        enum gr_err err;
        const char *slug;
    } names[] = {
#define NAME(name_, number_, status_, slug_, doc_) {name_, slug_},
        GR_ERR_LIST(NAME)
#undef NAME
    };

    for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].err == reply->err)
            return names[i].slug;
    }
    return NULL;
}

/* Keeps why the last attempt failed, for the operator. */
static enum gr_err note_failure(struct gr_call *call, const struct delivery *delivery,
                                const struct gr_upstream_reply *reply)
{
    const char *failure = failure_of(reply);

    return gr_store_exec(call,
                         "UPDATE webhook_delivery SET tried_ms = ?3, status = ?4, failure = ?5"
                         " WHERE event_seq = ?1 AND target = ?2",
                         GR_PARAMS(delivery->item.key, gr_v_text(delivery->item.lane),
                                   gr_v_int(gr_store_now_ms(call)),
                                   failure ? gr_v_null() : gr_v_int(reply->status),
                                   gr_v_text(failure)));
}

static enum gr_err settle(struct gr_call *call, struct turn *turn,
                          const struct gr_upstream_reply *reply)
{
    struct delivery *delivery = turn->next;

    turn->follows = false;
    /* The lease lasts for SHARE deliveries of a target. */
    if (delivery->done && !turn->queue->unordered && turn->count < SHARE)
        return queue_done_next(call, turn->queue, &delivery->item, &turn->following,
                               &turn->follows);
    if (delivery->done)
        return queue_done(call, turn->queue, &delivery->item);
    enum gr_err r = queue_fail(call, turn->queue, &delivery->item, &delivery->given_up);
    return r == GR_OK ? note_failure(call, delivery, reply) : r;
}

static enum gr_err settle_all(struct gr_call *call, void *arg)
{
    const struct round *round = arg;
    enum gr_err r = GR_OK;

    for (size_t i = 0; i < round->wave_count && r == GR_OK; i++)
        r = settle(call, round->wave[i], &round->replies[i]);
    return r;
}

static void tell(struct round *round, const struct turn *turn,
                 const struct gr_upstream_reply *reply)
{
    const struct delivery *delivery = turn->next;
    const char *outcome = delivery->done ? "done" : delivery->given_up ? "given_up" : "failed";
    const char *failure = failure_of(reply);

    gr_metric_add(round->call->self, "delivered_total", outcome, 1);
    webhooks_log_attempt(
        round->webhooks->log, gr_now_ms(round->call->host),
        &(const struct webhooks_attempt){.target = turn->target->name,
                                         .event_id = delivery->event_id,
                                         .type = delivery->type,
                                         .room_id = gr_str_of(queue_text(&delivery->item, 0)),
                                         .number = delivery->item.attempts + 1,
                                         .status = failure ? 0 : reply->status,
                                         .outcome = outcome});
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
        struct turn *turn = round->wave[i];

        tell(round, turn, &round->replies[i]);
        if (r == GR_OK && turn->follows)
            turn->list[turn->count++] = (struct delivery){.item = turn->following};
    }
    return r;
}

/* --- the timer --- */

/* Claims and sends one share of each target. Returns whether anything was sent. */
static bool run_round(struct round *round, enum gr_err *ret_err)
{
    size_t sent = 0;
    enum gr_err r = GR_OK;

    for (size_t i = 0; i < round->turn_count && r == GR_OK; i++)
        r = claim(round, &round->turns[i]);
    while (r == GR_OK) {
        r = load_wave(round);
        if (r != GR_OK || round->wave_count == 0)
            break;
        sent += round->wave_count;
        r = run_wave(round);
    }
    release(round);
    *ret_err = r;
    return sent > 0;
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
    round->webhooks = webhooks;
    round->turn_count = webhooks->target_count;
    round->turns = gr_alloc(call, round->turn_count * sizeof(*round->turns));
    if (!round->turns)
        return GR_ERR_NO_MEMORY;
    for (size_t i = 0; i < round->turn_count; i++) {
        struct webhooks_target *target = &webhooks->targets[i];

        round->turns[i].target = target;
        round->turns[i].queue = queue_of(webhooks, target);
    }
    bool more = run_round(round, &r);
    if (r != GR_OK)
        return gr_fail(call, r, "deliveries have to wait for the store");
    if (more)
        gr_timer_wake(call->self, "deliver");
    return GR_OK;
}
