/*
 * Deliveries as an operator sees them: which wait, which were made, which were given up ("dead"),
 * why the last attempt failed, and sending them again. The routes are here; the commands of
 * webhooks_commands.c use the same functions.
 */
#include "webhooks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 100
/* One statement makes at most this many deliveries due, so that it does not block others for long.
 */
#define REPLAY_BATCH 500
#define FILTER_VALUES_MAX 8
#define TIME_BYTES 32

/* --- rows --- */

const struct gr_field webhooks_deliveries_query[] = {
    WEBHOOKS_FIELD_STATE,
    WEBHOOKS_FIELDS_FILTER,
    GR_FIELD("limit", GR_INT, "Maximum number of deliveries in the answer",
             .range = GR_RANGE(1, LIMIT_MAX), .default_doc = "50"),
    GR_FIELD("start", GR_STRING, "Start of the page: `last` of the previous page",
             .pattern = "[0-9]{1,19}/[a-z][a-z0-9_]{0,31}"),
    GR_END,
};

const struct gr_field webhooks_replay_body[] = {
    GR_FIELD("event_id", GR_STRING,
             "Deliveries of this event, also those that were made; without it, those that are dead",
             .range = GR_RANGE(1, 128), .any_of = "which"),
    GR_FIELD("target", GR_STRING, "Only deliveries to this target", .any_of = "which"),
    GR_FIELD("room_id", GR_STRING, "Only deliveries of events of this room", .binds = "room",
             .any_of = "which"),
    GR_FIELD("since", GR_STRING,
             "Only deliveries whose last attempt failed, or whose event came, within this time",
             .pattern = WEBHOOKS_SPAN, .any_of = "which", .example = "\"1h\""),
    GR_FIELD("all", GR_BOOL, "All that are dead, without a further restriction", .any_of = "which"),
    GR_END,
};

static const struct gr_field delivery_fields[] = {
    GR_FIELD("event_id", GR_STRING, "ID of the event"),
    GR_FIELD("type", GR_STRING, "Type of the event"),
    GR_FIELD("room_id", GR_STRING, "Room of the event"),
    GR_FIELD("target", GR_STRING, "Name of the target"),
    GR_FIELD("state", GR_STRING, "State of the delivery",
             .values = GR_LIST("pending", "delivered", "dead")),
    GR_FIELD("attempts", GR_INT, "Attempts that have ended"),
    GR_FIELD("received_at", GR_TIME, "When the event came"),
    GR_FIELD("due_at", GR_TIME, "When the next attempt is due, or the end of the one under way"),
    GR_FIELD("delivered_at", GR_TIME, "When the target accepted the event"),
    GR_FIELD("failed_at", GR_TIME, "When the last attempt failed"),
    GR_FIELD("status", GR_INT, "Status that the target answered to the last failed attempt"),
    GR_FIELD("error", GR_STRING, "Why the last failed attempt had no answer"),
    GR_END,
};

const struct gr_field webhooks_deliveries_answer[] = {
    GR_FIELD("limit", GR_INT, "Page size used"),
    GR_FIELD("last", GR_STRING, "`start` of the next page; empty on the last page"),
    GR_FIELD("data", GR_ARRAY, "Deliveries, the newest event first",
             .items = GR_ITEM(GR_OBJECT, .fields = delivery_fields)),
    GR_END,
};

const struct gr_field webhooks_event_answer[] = {
    GR_FIELD("received_at", GR_TIME, "When the event came"),
    GR_FIELD("deliveries", GR_ARRAY, "Its deliveries",
             .items = GR_ITEM(GR_OBJECT, .fields = delivery_fields)),
    GR_FIELD("event", GR_OBJECT, "The event as it was received", .fields = webhooks_envelope),
    GR_END,
};

/* --- conditions --- */

/* Milliseconds of a WEBHOOKS_SPAN. */
static int64_t span_ms(const char *text)
{
    char *unit;
    int64_t number = strtoll(text, &unit, 10);

    switch (*unit) {
    case 's':
        return number * 1000;
    case 'm':
        return number * 60000;
    case 'h':
        return number * 3600000;
    default:
        return number * 86400000;
    }
}

/* The values of a statement, which its text names by their numbers. */
struct values {
    struct gr_value list[FILTER_VALUES_MAX];
    size_t count;
};

/* Appends " AND CONDITION" with one value to *where, unless that is NULL for want of memory. */
static void add(struct gr_call *call, const char **where, struct values *values,
                const char *condition, struct gr_value value)
{
    if (!*where)
        return;
    values->list[values->count++] = value;
    *where = gr_format(call, "%s AND %s ?%zu", *where, condition, values->count);
}

static const char *state_condition(const char *state)
{
    if (strcmp(state, "any") == 0)
        return "";
    if (strcmp(state, "pending") == 0)
        return " AND d.due_ms IS NOT NULL";
    if (strcmp(state, "delivered") == 0)
        return " AND d.due_ms IS NULL AND d.done_ms IS NOT NULL";
    if (strcmp(state, "dead") == 0)
        return " AND d.due_ms IS NULL AND d.done_ms IS NULL";
    return " AND d.due_ms IS NULL"; /* "settled", for a replay of one event */
}

/* Conditions on d, a delivery, and e, its event, each with " AND " before it; NULL without memory.
 */
static const char *condition(struct gr_call *call, const struct webhooks_filter *filter,
                             struct values *values)
{
    const char *where = state_condition(filter->state);

    if (filter->event_id)
        add(call, &where, values, "e.id =", gr_v_text(filter->event_id));
    if (filter->target)
        add(call, &where, values, "d.target =", gr_v_text(filter->target));
    if (filter->room_id)
        add(call, &where, values, "e.room_id =", gr_v_text(filter->room_id));
    if (filter->since)
        add(call, &where, values, "COALESCE(d.tried_ms, e.received_ms) >=",
            gr_v_int(gr_store_now_ms(call) - span_ms(filter->since)));
    return where;
}

/* --- reading --- */

/* RFC 3339 in UTC, with milliseconds; JSON null for SQL NULL. */
static json_t *time_json(const struct gr_value *ms)
{
    char text[TIME_BYTES];
    struct tm parts;
    time_t seconds = (time_t)(ms->i / 1000);

    if (ms->kind == GR_VALUE_NULL || !gmtime_r(&seconds, &parts))
        return json_null();
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(ms->i % 1000));
    return json_string(text);
}

static json_t *text_json(const struct gr_value *text)
{
    return text->kind == GR_VALUE_TEXT ? json_stringn(text->s.ptr, text->s.len) : json_null();
}

static json_t *int_json(const struct gr_value *value)
{
    return value->kind == GR_VALUE_INT ? json_integer(value->i) : json_null();
}

#define COLUMNS                                                                                    \
    "d.event_seq, d.target, e.id, e.type, e.room_id, d.attempts, e.received_ms, d.due_ms,"         \
    " d.done_ms, d.tried_ms, d.status, d.failure"
enum column { SEQ, TARGET, ID, TYPE, ROOM, ATTEMPTS, RECEIVED, DUE, DONE, TRIED, STATUS, FAILURE };

/* A row of COLUMNS as an object; NULL without memory. */
static json_t *delivery_json(const struct gr_value *columns)
{
    bool pending = columns[DUE].kind != GR_VALUE_NULL;
    bool done = columns[DONE].kind != GR_VALUE_NULL;

    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "event_id",
                     text_json(&columns[ID]), "type", text_json(&columns[TYPE]), "room_id",
                     text_json(&columns[ROOM]), "target", text_json(&columns[TARGET]), "state",
                     pending ? "pending"
                     : done  ? "delivered"
                             : "dead",
                     "attempts", int_json(&columns[ATTEMPTS]), "received_at",
                     time_json(&columns[RECEIVED]), "due_at", time_json(&columns[DUE]),
                     "delivered_at", time_json(&columns[DONE]), "failed_at",
                     time_json(&columns[TRIED]), "status", int_json(&columns[STATUS]), "error",
                     text_json(&columns[FAILURE]));
}

struct page {
    struct gr_call *call;
    json_t *list;
    int64_t limit;
    int64_t seen;
    const char *last;
    bool more;
};

/* Takes one row of COLUMNS. Stops the query when the page is full. */
static enum gr_err take_delivery(void *arg, const struct gr_value *columns, size_t count)
{
    struct page *page = arg;

    (void)count;
    page->more = page->seen == page->limit;
    if (page->more)
        return GR_ERR_CANCELLED;
    page->seen++;
    page->last = gr_format(page->call, "%" PRId64 "/%.*s", columns[SEQ].i,
                           (int)columns[TARGET].s.len, columns[TARGET].s.ptr);
    if (!page->last)
        return GR_ERR_NO_MEMORY;
    return json_array_append_new(page->list, delivery_json(columns)) == 0 ? GR_OK
                                                                          : GR_ERR_NO_MEMORY;
}

/* Adds the condition that a page begins after `start`, "SEQ/TARGET". */
static const char *add_start(struct gr_call *call, const char *where, const char *start,
                             struct values *values)
{
    const char *slash = strchr(start, '/');

    if (!where || !slash)
        return where;
    values->list[values->count++] = gr_v_int(strtoll(start, NULL, 10));
    values->list[values->count++] = gr_v_text(slash + 1);
    return gr_format(call,
                     "%s AND (d.event_seq < ?%zu OR (d.event_seq = ?%zu AND d.target > ?%zu))",
                     where, values->count - 1, values->count - 1, values->count);
}

enum gr_err webhooks_deliveries_read(struct gr_call *call, const struct webhooks_filter *filter,
                                     int64_t limit, const char *start, json_t **ret_list,
                                     const char **ret_last)
{
    struct values values = {.count = 0};
    struct page page = {.call = call, .limit = limit, .list = json_array()};
    const char *where = add_start(call, condition(call, filter, &values), start, &values);
    const char *sql =
        where ? gr_format(call,
                          "SELECT " COLUMNS " FROM webhook_delivery AS d"
                          " JOIN webhook_event AS e ON e.seq = d.event_seq WHERE 1 = 1%s"
                          " ORDER BY d.event_seq DESC, d.target LIMIT %" PRId64,
                          where, limit + 1)
              : NULL;
    enum gr_err r = GR_ERR_NO_MEMORY;

    if (sql && page.list)
        r = gr_store_query(call, sql, values.list, values.count, take_delivery, &page);
    if (page.more)
        r = GR_OK;
    if (r != GR_OK) {
        json_decref(page.list);
        return r;
    }
    *ret_list = page.list;
    *ret_last = page.more ? page.last : "";
    return GR_OK;
}

/* --- one event --- */

struct found {
    struct gr_call *call;
    gr_str body;
    json_t *received_at;
};

/* Takes one row (body, received_ms). */
static enum gr_err take_event(void *arg, const struct gr_value *columns, size_t count)
{
    struct found *found = arg;

    (void)count;
    found->body = (gr_str){gr_copy(found->call, columns[0].s), columns[0].s.len};
    found->received_at = time_json(&columns[1]);
    return found->body.ptr && found->received_at ? GR_OK : GR_ERR_NO_MEMORY;
}

/* The answer has the event byte for byte, since that may have values that the parser refuses. */
static enum gr_err write_event(struct gr_call *call, const struct found *found, json_t *deliveries,
                               gr_str *ret_text)
{
    gr_str received = gr_json_text(call, found->received_at);
    gr_str list = gr_json_text(call, deliveries);
    char *text = gr_format(call, "{\"received_at\":%s,\"deliveries\":%s,\"event\":%.*s}",
                           received.ptr, list.ptr, (int)found->body.len, found->body.ptr);

    if (!received.len || !list.len || !text)
        return GR_ERR_NO_MEMORY;
    *ret_text = gr_str_of(text);
    return GR_OK;
}

enum gr_err webhooks_event_read(struct gr_call *call, const char *event_id, gr_str *ret_text)
{
    const struct webhooks_filter filter = {.state = "any", .event_id = event_id};
    struct found found = {.call = call};
    json_t *deliveries = NULL;
    const char *last;

    *ret_text = (gr_str){NULL, 0};
    enum gr_err r =
        gr_store_query(call, "SELECT body, received_ms FROM webhook_event WHERE id = ?1",
                       GR_PARAMS(gr_v_text(event_id)), take_event, &found);
    if (r == GR_OK && found.body.ptr)
        r = webhooks_deliveries_read(call, &filter, LIMIT_MAX, "", &deliveries, &last);
    if (r == GR_OK && deliveries)
        r = write_event(call, &found, deliveries, ret_text);
    json_decref(deliveries);
    json_decref(found.received_at);
    return r;
}

/* --- sending again --- */

struct batch {
    const struct webhooks_options *options;
    const struct webhooks_filter *filter;
    int64_t due_ms;
    int64_t count;
};

static enum gr_err make_due(struct gr_call *call, struct batch *batch)
{
    struct values values = {.list = {gr_v_int(batch->due_ms)}, .count = 1};
    const char *where = condition(call, batch->filter, &values);
    const char *sql =
        where
            ? gr_format(
                  call,
                  "UPDATE webhook_delivery SET due_ms = ?1, attempts = 0, done_ms = NULL,"
                  " behind = 0 WHERE due_ms IS NULL AND (event_seq, target) IN (SELECT d.event_seq,"
                  " d.target FROM webhook_delivery AS d JOIN webhook_event AS e"
                  " ON e.seq = d.event_seq WHERE 1 = 1%s"
                  " ORDER BY d.event_seq, d.target LIMIT %d)",
                  where, REPLAY_BATCH)
            : NULL;

    return sql ? gr_store(call, sql, values.list, values.count, NULL, NULL, &batch->count)
               : GR_ERR_NO_MEMORY;
}

/* Makes one batch due, in the order of the events, and lets each wait for the earlier ones of its
 * room. */
static enum gr_err replay_batch(struct gr_call *call, void *arg)
{
    struct batch *batch = arg;
    const json_t *settings;
    size_t i;
    enum gr_err r = make_due(call, batch);

    json_array_foreach(batch->options->forward_to, i, settings) {
        const char *target = hms_text(settings, "name");
        struct queue queue = webhooks_queue_to(batch->options, settings);

        if (r == GR_OK && batch->count)
            r = queue_line_up(call, &queue, target, batch->due_ms);
    }
    return r;
}

enum gr_err webhooks_replay_all(struct gr_call *call, const struct webhooks_options *options,
                                const struct webhooks_filter *filter, int64_t *ret_count)
{
    struct webhooks_filter settled = *filter;
    struct batch batch = {.options = options, .filter = &settled};
    enum gr_err r;

    settled.state = filter->event_id ? "settled" : "dead";
    *ret_count = 0;
    do {
        batch.due_ms = gr_store_now_ms(call);
        r = gr_store_tx(call, replay_batch, &batch);
        *ret_count += r == GR_OK ? batch.count : 0;
    } while (r == GR_OK && batch.count == REPLAY_BATCH);
    return r;
}

/* --- routes --- */

struct webhooks_filter webhooks_filter_of(const struct gr_call *call)
{
    const char *state = gr_query(call, "state").ptr;

    return (struct webhooks_filter){.state = state ? state : "dead",
                                    .target = gr_query(call, "target").ptr,
                                    .room_id = gr_query(call, "room_id").ptr,
                                    .since = gr_query(call, "since").ptr};
}

int64_t webhooks_limit_of(const struct gr_call *call)
{
    const char *limit = gr_query(call, "limit").ptr;

    return limit ? strtoll(limit, NULL, 10) : LIMIT_DEFAULT;
}

enum gr_err webhooks_deliveries_list(struct gr_call *call)
{
    const struct webhooks_filter filter = webhooks_filter_of(call);
    const char *start = gr_query(call, "start").ptr;
    int64_t limit = webhooks_limit_of(call);
    json_t *list = NULL;
    const char *last = "";

    enum gr_err r =
        webhooks_deliveries_read(call, &filter, limit, start ? start : "", &list, &last);
    if (r == GR_ERR_NO_MEMORY)
        return gr_fail(call, r, "no memory for the page");
    if (r != GR_OK)
        return gr_fail(call, GR_ERR_STORE_DOWN, "the deliveries cannot be read now");
    return gr_reply_json(
        call, 200,
        json_pack("{s:I, s:s, s:o}", "limit", (json_int_t)limit, "last", last, "data", list));
}

enum gr_err webhooks_event_show(struct gr_call *call)
{
    gr_str text;
    enum gr_err r = webhooks_event_read(call, gr_param(call, "event_id").ptr, &text);

    if (r == GR_ERR_NO_MEMORY)
        return gr_fail(call, r, "no memory for the event");
    if (r != GR_OK)
        return gr_fail(call, GR_ERR_STORE_DOWN, "the event cannot be read now");
    if (!text.ptr)
        return gr_fail(call, GR_ERR_NOT_FOUND, "no event has this id");
    return gr_reply(call, 200, "application/json", text);
}

enum gr_err webhooks_replay(struct gr_call *call)
{
    const json_t *body = gr_json(call);
    const struct webhooks_filter filter = {.event_id = hms_text(body, "event_id"),
                                           .target = hms_text(body, "target"),
                                           .room_id = hms_text(body, "room_id"),
                                           .since = hms_text(body, "since")};
    int64_t count = 0;

    if (!filter.event_id && !filter.target && !filter.room_id && !filter.since &&
        !json_is_true(json_object_get(body, "all")))
        return gr_invalid(call, "all", GR_PROBLEM_VALUE,
                          "true, or another member that says which deliveries");
    enum gr_err r =
        webhooks_replay_all(call, ((const struct webhooks *)call->state)->options, &filter, &count);
    const char *deliveries = count == 1 ? "delivery is" : "deliveries are";
    if (r != GR_OK)
        return gr_fail(call, GR_ERR_STORE_DOWN,
                       "%lld %s sent again, the others cannot be chosen now", (long long)count,
                       deliveries);
    gr_log(call, GR_LOG_INFO, "%lld %s sent again", (long long)count, deliveries);
    gr_timer_wake(call->self, "deliver");
    return gr_reply_json(call, 200, json_pack("{s:I}", "replayed", (json_int_t)count));
}
