/* The history of webhook deliveries, and their replay. */
#include "routes.h"
#include "webhooks.h"

#define DAY_MS (24 * 3600 * INT64_C(1000))
#define REPLAY_GAP_MS 100 /* ten events a second */

#define WINDOW_FIELDS                                                                              \
    GR_FIELD("start_time", GR_TIME, "Only deliveries from this time on; at most 30 days ago",      \
             .default_doc = "a day ago"),                                                          \
        GR_FIELD("end_time", GR_TIME,                                                              \
                 "Only deliveries before this time; at most 14 days after start_time",             \
                 .default_doc = "now"),                                                            \
        GR_FIELD("room_id", GR_STRING, "Only deliveries of this room")

static const struct gr_field history_query[] = {
    WINDOW_FIELDS,
    GR_FIELD("status", GR_STRING, "Only deliveries with this outcome",
             .values = HMS_DELIVERY_STATES, .default_doc = "all"),
    GR_FIELD("event_names", GR_STRING, "Only events of this type; can be given several times",
             .flags = GR_FIELD_REPEATED, .values = HMS_WEBHOOK_TYPES),
    GR_FIELD("limit", GR_INT, "Maximum number of deliveries in the answer",
             .range = GR_RANGE(1, 100), .default_doc = "50"),
    GR_FIELD("page", GR_INT, "Number of the page, from 1", .range = GR_MIN(1), .default_doc = "1"),
    GR_END,
};

static const struct gr_field replay_fields[] = {
    WINDOW_FIELDS,
    GR_FIELD("event_names", GR_ARRAY, "Only events of these types",
             .items = GR_ITEM(GR_STRING, .values = HMS_WEBHOOK_TYPES)),
    GR_FIELD("limit", GR_INT, "Maximum number of events to replay",
             .range = GR_RANGE(1, HMS_REPLAY_MAX), .default_doc = "50000"),
    GR_FIELD("offset", GR_INT, "Number of events to skip at the beginning", .range = GR_MIN(0),
             .default_doc = "0"),
    GR_FIELD("status", GR_STRING, "Only deliveries with this outcome",
             .values = HMS_DELIVERY_STATES, .default_doc = "failed"),
    GR_END,
};

/* The selection of deliveries for a query or a replay. */
struct window {
    int64_t start_ms;
    int64_t end_ms;
    const char *room_id;
    const char *status;
};

/* Computes the times of the window and checks their bounds. */
static enum gr_err window_of(struct gr_call *call, struct sandbox *sb, const char *start,
                             const char *end, struct window *ret_window)
{
    ret_window->start_ms = sb->now_ms - DAY_MS;
    ret_window->end_ms = sb->now_ms;
    if (*start && !gr_time_ms(call->host, gr_str_of(start), &ret_window->start_ms))
        return sb_error(call, 400, "Invalid query param: start_time", "not a time");
    if (*end && !gr_time_ms(call->host, gr_str_of(end), &ret_window->end_ms))
        return sb_error(call, 400, "Invalid query param: end_time", "not a time");
    if (ret_window->start_ms < sb->now_ms - 30 * DAY_MS)
        return sb_error(call, 400, "start_time must be within the last 30 days", NULL);
    if (ret_window->end_ms < ret_window->start_ms ||
        ret_window->end_ms > ret_window->start_ms + 14 * DAY_MS)
        return sb_error(call, 400, "end_time must be within 14 days after start_time", NULL);
    return GR_OK;
}

static bool in_window(const json_t *row, const struct window *window)
{
    const json_t *event = json_object_get(row, "event");
    int64_t at_ms = sb_int(row, "at_ms");

    if (at_ms < window->start_ms || at_ms > window->end_ms)
        return false;
    if (*window->room_id &&
        !sb_is(json_object_get(event, "data"), "room_id", gr_str_of(window->room_id)))
        return false;
    if (strcmp(window->status, "all") == 0)
        return sb_is(row, "status", GR_STR("success")) || sb_is(row, "status", GR_STR("failed"));
    return sb_is(row, "status", gr_str_of(window->status));
}

static json_t *history_row(struct sandbox *sb, const json_t *row)
{
    static const char *const shown[] = {"session_id", "peer_id", "user_id", NULL};
    const json_t *event = json_object_get(row, "event");
    const json_t *data = json_object_get(event, "data");
    bool good = sb_is(row, "status", GR_STR("success"));
    json_t *brief = sb_pack(sb, "{}");

    sb_take(sb, brief, data, shown);
    return sb_pack(
        sb, "{ss ss ss ss s{so ss ss ss}}", "event_id", sb_text(event, "id"), "event_name",
        good ? "reporter.webhook.delivery.success" : "reporter.webhook.delivery.failed", "room_id",
        sb_text(data, "room_id"), "event_timestamp", sb_text(event, "timestamp"), "payload",
        "event_data", brief, "webhook_url", sb_text(row, "url"), "original_event_name",
        sb_text(event, "type"), "error_reason", sb_text(row, "error"));
}

static enum gr_err webhooks_history(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_filter by_name[] = {
        {"event_names", "type", SB_EQUAL, NULL},
        {0},
    };
    size_t limit = (size_t)sb_query_int(call, "limit", 50);
    size_t page = (size_t)sb_query_int(call, "page", 1);
    gr_str status = gr_query(call, "status");
    gr_str room_id = gr_query(call, "room_id");
    struct window window = {.room_id = room_id.len ? room_id.ptr : "",
                            .status = status.len ? status.ptr : "all"};
    gr_str start = gr_query(call, "start_time");
    gr_str end = gr_query(call, "end_time");
    enum gr_err err =
        window_of(call, sb, start.len ? start.ptr : "", end.len ? end.ptr : "", &window);
    size_t total = 0;
    json_t *events;
    const char *id;
    json_t *row;

    if (err != GR_OK)
        return err;
    events = sb_pack(sb, "[]");
    json_object_foreach(sb_all(sb, "webhooks"), id, row) {
        if (!in_window(row, &window) ||
            !sb_passes(call, sb, by_name, json_object_get(row, "event")))
            continue;
        if (total / limit == page - 1)
            sb_append(sb, events, history_row(sb, row));
        total++;
    }
    return sb_reply(call, sb,
                    sb_pack(sb, "{so s{sI sI sI sI sb sb} s{sI}}", "events", events, "pagination",
                            "current_page", (json_int_t)page, "page_size", (json_int_t)limit,
                            "total_pages", (json_int_t)((total + limit - 1) / limit), "total_items",
                            (json_int_t)total, "has_next", total > page * limit, "has_prev",
                            page > 1, "summary", "total_events", (json_int_t)total));
}

/* --- replay --- */

static bool named(const json_t *names, const char *name)
{
    size_t i;
    const json_t *wanted;

    json_array_foreach(names, i, wanted) {
        if (strcmp(json_string_value(wanted), name) == 0)
            return true;
    }
    return !json_array_size(names);
}

/* Queues the selected deliveries and returns their number. */
static json_int_t queue_all(struct sandbox *sb, const char *workflow_id, const json_t *body,
                            const struct window *window)
{
    int64_t skip = sb_int(body, "offset");
    int64_t limit = sb_int(body, "limit") ? sb_int(body, "limit") : HMS_REPLAY_MAX;
    json_int_t count = 0;
    const char *id;
    json_t *row;

    json_object_foreach(sb_all(sb, "webhooks"), id, row) {
        if (!in_window(row, window) || !named(json_object_get(body, "event_names"),
                                              sb_text(json_object_get(row, "event"), "type")))
            continue;
        if (skip-- > 0)
            continue;
        if (count == limit)
            break;
        sb_webhook_again(sb, id, workflow_id, count * REPLAY_GAP_MS);
        count++;
    }
    return count;
}

static json_t *filters_of(struct sandbox *sb, const json_t *body, const struct window *window)
{
    json_t *filters = sb_pack(sb, "{ss* ss}", "room_id", *window->room_id ? window->room_id : NULL,
                              "status", window->status);
    const json_t *names = json_object_get(body, "event_names");

    /* Default times change with the clock and would make equal requests different. */
    if (json_object_get(body, "start_time"))
        sb_set(sb, filters, "start_time", sb_time(sb, window->start_ms));
    if (json_object_get(body, "end_time"))
        sb_set(sb, filters, "end_time", sb_time(sb, window->end_ms));
    if (names)
        sb_set(sb, filters, "event_types", sb_copy(sb, names));
    sb_set(sb, filters, "limit",
           json_integer(sb_int(body, "limit") ? sb_int(body, "limit") : HMS_REPLAY_MAX));
    sb_set(sb, filters, "offset", json_integer(sb_int(body, "offset")));
    return filters;
}

/* Returns the running replay with these filters; NULL when there is none. */
static json_t *running_workflow(struct sandbox *sb, const json_t *filters)
{
    const char *id;
    json_t *workflow;

    json_object_foreach(sb_all(sb, "workflows"), id, workflow) {
        if (sb_is(workflow, "status", GR_STR("Running")) &&
            json_equal(json_object_get(workflow, "filters"), filters))
            return workflow;
    }
    return NULL;
}

static json_t *start_workflow(struct sandbox *sb, const json_t *body, const json_t *filters,
                              const struct window *window)
{
    struct sb_name tail = sb_new_hex(sb, 8);
    json_t *id = json_sprintf("webhook-replay-%s-%s", sb->options->customer_id, tail.text);
    json_t *workflow =
        sb_pack(sb, "{sO ss so sn sO s{si si si} s[]}", "workflow_id", id, "status", "Running",
                "started_at", sb_time(sb, sb->now_ms), "completed_at", "filters", filters,
                "progress", "total", 0, "completed", 0, "failed", 0, ".failed_events");
    const char *text = json_string_value(id);

    workflow = text ? sb_put(sb, "workflows", text, workflow) : NULL;
    sb_set(sb, json_object_get(workflow, "progress"), "total",
           json_integer(text ? queue_all(sb, text, body, window) : 0));
    sb_workflow_settle(sb, workflow);
    json_decref(id);
    return workflow;
}

static enum gr_err webhooks_replay(struct gr_call *call, struct sandbox *sb)
{
    const json_t *body = gr_json(call);
    struct window window = {.room_id = sb_text(body, "room_id"),
                            .status =
                                *sb_text(body, "status") ? sb_text(body, "status") : "failed"};
    enum gr_err err =
        window_of(call, sb, sb_text(body, "start_time"), sb_text(body, "end_time"), &window);
    json_t *workflow;
    json_t *filters;
    bool joined;

    if (err != GR_OK)
        return err;
    filters = filters_of(sb, body, &window);
    workflow = running_workflow(sb, filters);
    joined = workflow != NULL;
    if (!joined)
        workflow = start_workflow(sb, body, filters, &window);
    json_decref(filters);
    return sb_reply(call, sb,
                    sb_pack(sb, "{ss ss ss sO}", "workflow_id", sb_text(workflow, "workflow_id"),
                            "status", joined ? "already_running" : "started", "message",
                            joined ? "a replay with these filters is running" : "queued", "filters",
                            json_object_get(workflow, "filters")));
}

static enum gr_err webhooks_replay_status(struct gr_call *call, struct sandbox *sb)
{
    const json_t *workflow = sb_find(sb, "workflows", gr_param(call, "workflow_id"));

    return workflow ? sb_reply_row(call, sb, workflow)
                    : sb_error(call, 404, "workflow not found", NULL);
}

static const struct gr_field page_query[] = {SB_PAGE_FIELDS(1), GR_END};

static enum gr_err webhooks_dump(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_list list = {
        .collection = "webhooks", .items = "data", .limit_default = 100, .oldest_first = true};

    return sb_reply_list(call, sb, &list);
}

const struct gr_route sb_webhook_routes[] = {
    SB_ADMIN(GET, "/webhooks", "admin.webhooks", "List webhook events with their delivery",
             .query = page_query, SB_RUN_ADMIN(webhooks_dump)),
    SB_GET("/analytics/webhooks", "analytics.webhooks", "List webhook deliveries",
           .query = history_query, SB_RUN(webhooks_history)),
    SB_POST("/analytics/webhooks/replay", "analytics.replay", "Replay webhooks",
            .body = GR_BODY(GR_OBJECT, .fields = replay_fields), SB_RUN(webhooks_replay)),
    SB_GET("/analytics/webhooks/replay/{workflow_id}", "analytics.replay_status",
           "Fetch the state of a replay", SB_RUN(webhooks_replay_status)),
    GR_END,
};
