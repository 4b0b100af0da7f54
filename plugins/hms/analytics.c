/*
 * analytics: events, webhook deliveries and the call quality of peers over the last 30 days.
 */
#include "common.h"

/* Path, query and body --------------------------------------------------------------------- */

static const struct gr_field events_query[] = {
    GR_FIELD("room_id", GR_STRING, "Room of the events; 100ms documents it as required",
             .binds = "room"),
    GR_FIELD("type", GR_STRING, "Only events of this type; can be given several times",
             .flags = GR_FIELD_REPEATED | GR_FIELD_HINTS, .values = HMS_EVENT_TYPES),
    HMS_QUERY_SESSION,
    GR_FIELD("peer_id", GR_STRING, "Only events of this peer"),
    GR_FIELD("user_id", GR_STRING, "Only events of this user"),
    GR_FIELD("beam_id", GR_STRING,
             "Only events of this recorder; use with type beam.recording.success"),
    GR_FIELD("error", GR_BOOL, "Whether to list only errors", .default_doc = "false"),
    GR_FIELD("limit", GR_INT, "Maximum number of events in the answer", .range = GR_RANGE(1, 100),
             .default_doc = "10"),
    GR_FIELD("start", GR_STRING, "Start of the page: `next` of the previous page"),
    GR_END,
};

/* The filters for deliveries, in the list and in a replay. */
#define DELIVERY_TIMES                                                                             \
    GR_FIELD("start_time", GR_TIME, "Only deliveries from this time on; at most 30 days ago",      \
             .default_doc = "24 hours ago"),                                                       \
        GR_FIELD("end_time", GR_TIME,                                                              \
                 "Only deliveries before this time; at most 14 days after start_time",             \
                 .default_doc = "now"),                                                            \
        GR_FIELD("room_id", GR_STRING, "Only deliveries of this room", .binds = "room")

static const struct gr_field deliveries_query[] = {
    DELIVERY_TIMES,
    GR_FIELD("status", GR_STRING, "Only deliveries with this outcome",
             .values = HMS_DELIVERY_STATES, .default_doc = "all"),
    GR_FIELD("event_names", GR_STRING, "Only this event; can be given several times",
             .flags = GR_FIELD_REPEATED | GR_FIELD_HINTS, .values = HMS_WEBHOOK_TYPES),
    GR_FIELD("limit", GR_INT, "Maximum number of deliveries in the answer",
             .range = GR_RANGE(1, 100), .default_doc = "50"),
    GR_FIELD("page", GR_INT, "Number of the page, from 1", .range = GR_MIN(1), .default_doc = "1"),
    GR_END,
};

static const struct gr_field replay[] = {
    DELIVERY_TIMES,
    GR_FIELD("status", GR_STRING, "Only deliveries with this outcome",
             .values = HMS_DELIVERY_STATES, .default_doc = "failed"),
    GR_FIELD("event_names", GR_ARRAY, "Only these events",
             .items = GR_ITEM(GR_STRING, .flags = GR_FIELD_HINTS, .values = HMS_WEBHOOK_TYPES)),
    GR_FIELD("limit", GR_INT, "Maximum number of deliveries to replay",
             .range = GR_MAX(HMS_REPLAY_MAX), .default_doc = "50000"),
    GR_FIELD("offset", GR_INT, "Number of deliveries to skip at the beginning", .range = GR_MIN(0),
             .default_doc = "0"),
    GR_END,
};

static const struct gr_field workflow_params[] = {
    GR_FIELD("workflowId", GR_STRING, "`workflow_id` from the answer that started the replay",
             .pattern = "[A-Za-z0-9][A-Za-z0-9._:-]{0,199}"),
    GR_END,
};

static const struct gr_field stats_query[] = {
    GR_FIELD("peer_id", GR_STRING, "ID of the peer", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("session_id", GR_STRING, "ID of a session that the peer was in",
             .flags = GR_FIELD_REQUIRED),
    GR_END,
};

/* Answers ---------------------------------------------------------------------------------- */

static const struct gr_field event[] = {
    GR_FIELD("version", GR_STRING, "Version of the format"),
    GR_FIELD("id", GR_STRING, "ID of the event"),
    GR_FIELD("timestamp", GR_TIME, "When the event happened"),
    GR_FIELD("type", GR_STRING, "Type of the event", .values = HMS_EVENT_TYPES),
    GR_FIELD("data", GR_OBJECT, "Details, which depend on the type"),
    GR_END,
};

static const struct gr_field events[] = {
    GR_FIELD("limit", GR_INT, "Page size used"),
    GR_FIELD("total", GR_INT, "Number of events that match"),
    GR_FIELD("next", GR_STRING,
             "`start` of the next page, valid for 24 hours; empty on the last page"),
    GR_FIELD("events", GR_ARRAY, "The events", .items = GR_ITEM(GR_OBJECT, .fields = event)),
    GR_END,
};

static const struct gr_field delivery[] = {
    GR_FIELD("event_id", GR_STRING, "ID of the event"),
    GR_FIELD("event_name", GR_STRING, "Outcome of the delivery"),
    GR_FIELD("room_id", GR_STRING, "Room of the event"),
    GR_FIELD("event_timestamp", GR_TIME, "When the event happened"),
    GR_FIELD("payload", GR_OBJECT, "The event, its receiver and the reason of a failure"),
    GR_END,
};

static const struct gr_field deliveries[] = {
    GR_FIELD("events", GR_ARRAY, "The deliveries", .items = GR_ITEM(GR_OBJECT, .fields = delivery)),
    GR_FIELD("pagination", GR_OBJECT,
             "`current_page`, `page_size`, `total_pages`, `total_items`, `has_next`"),
    GR_FIELD("summary", GR_OBJECT, "Counts over all pages"),
    GR_END,
};

static const struct gr_field started_replay[] = {
    GR_FIELD("workflow_id", GR_STRING, "ID for the request of the progress"),
    GR_FIELD("status", GR_STRING, "`started`, or `already_running` for the same filters"),
    GR_FIELD("message", GR_STRING, "The status in words"),
    GR_FIELD("filters", GR_OBJECT, "Filters of the replay"),
    GR_END,
};

static const struct gr_field replay_progress[] = {
    GR_FIELD("workflow_id", GR_STRING, "ID of the replay"),
    GR_FIELD("status", GR_STRING,
             "`Running`, `completed`, `completed_with_failures`, `failed` and others"),
    GR_FIELD("started_at", GR_TIME, "When the replay began"),
    GR_FIELD("completed_at", GR_TIME, "When the replay ended"),
    GR_FIELD("filters", GR_OBJECT, "Filters of the replay"),
    GR_FIELD("progress", GR_OBJECT, "The counts `total`, `completed` and `failed`"),
    GR_FIELD("result", GR_OBJECT, "The final counts, with `failed_events`"),
    GR_END,
};

static const struct gr_field stats[] = {
    GR_FIELD("peer_id", GR_STRING, "ID of the peer"),
    GR_FIELD("session_id", GR_STRING, "ID of the session"),
    GR_FIELD("room_id", GR_STRING, "ID of the room"),
    GR_FIELD("publisher", GR_OBJECT, "Time series of each track that the peer sent"),
    GR_FIELD("subscriber", GR_OBJECT, "Time series of each track that the peer received"),
    GR_END,
};

/* Routes ----------------------------------------------------------------------------------- */

static const struct gr_route routes[] = {
    GR_GET("/analytics", "analytics.events", "List the events of a room",
           .alias = "/analytics/events", .scope = "analytics:read", .query = events_query,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/analytics/events"),
           .answers = HMS_ANSWER(200, "One page of events", .schema = HMS_OBJECT(events)),
           .source = HMS_API("analytics/overview")),
    HMS_GET("/analytics/webhooks", "analytics.webhooks", "List the deliveries of webhooks",
            .scope = "analytics:read", .query = deliveries_query,
            .answers = HMS_ANSWER(200, "One page of deliveries", .schema = HMS_OBJECT(deliveries)),
            .doc = "The message of a 429 answer says how many seconds to wait.",
            .source = HMS_API("analytics/list-webhook-events")),
    HMS_POST("/analytics/webhooks/replay", "analytics.webhooks_replay", "Deliver webhooks again",
             .scope = "analytics:write", .flags = GR_ROUTE_IDEMPOTENCY_KEY,
             .body = GR_BODY(GR_OBJECT, .fields = replay),
             .answers = HMS_ANSWER(200, "The replay", .schema = HMS_OBJECT(started_replay)),
             .doc = "100ms replays ten events a second and at most 50000 in one replay; offset "
                    "selects further ones.",
             .source = HMS_API("analytics/replay-webhook-events")),
    HMS_GET("/analytics/webhooks/replay/{workflowId}", "analytics.webhooks_replay_status",
            "Fetch the progress of a replay", .scope = "analytics:read", .params = workflow_params,
            .answers =
                HMS_ANSWER(200, "Progress of the replay", .schema = HMS_OBJECT(replay_progress)),
            .source = HMS_API("analytics/replay-webhook-events")),
    HMS_GET(
        "/analytics/peer-stats", "analytics.peer_stats", "Fetch the quality of one peer's session",
        .scope = "analytics:read", .query = stats_query,
        .answers = HMS_ANSWER(200, "Time series of the peer's tracks", .schema = HMS_OBJECT(stats)),
        .doc = "Available after the session has ended.",
        .source = HMS_API("analytics/peer-quality-stats")),
    GR_END,
};

static const char *const owns[] = {"/analytics", NULL};

GR_PLUGIN("analytics", .version = HMS_VERSION,
          .summary = "Events, webhook deliveries and call quality of 100ms", .licence = HMS_LICENCE,
          .routes = routes, .owns = owns)
