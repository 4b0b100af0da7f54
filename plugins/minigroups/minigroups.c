/*
 * The group minigroups: classes with a room in an event service and a room in a conference service.
 *
 * A class is one row, and create makes both of its rooms. The services report what happens to the
 * rooms through one callback route, which moves the class from real-time to transcoded.
 */
#include "base/problem.h"
#include "base/state.h"
#include "commands.h"
#include "lifecycle/inbox.h"
#include "route/access.h"
#include "route/handlers.h"
#include "route/requests.h"
#include "service/outbox.h"
#include "store/schema.h"

#define DOC "https://github.com/foxford/dispatcher/tree/master/docs/src/minigroups"
#define UUID_PATTERN "[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
#define ID_ROW(name_) GR_FIELD(name_, GR_STRING, "UUID of the minigroup", .pattern = UUID_PATTERN)
#define BODY_MAX (2u * 1024 * 1024)
#define BODY_ROUTE_WITH(flags_)                                                                    \
    .access = GR_ACCESS_GROUP, .admit = mini_admit_json, .flags = MINI_ROUTE_FLAGS | (flags_),     \
    .body_max_bytes = BODY_MAX
#define BODY_ROUTE BODY_ROUTE_WITH(0u)
#define CREATE_ROUTE BODY_ROUTE_WITH(GR_ROUTE_IDEMPOTENCY_KEY)
/* The group checks the content type itself, because its error for a wrong one is 400, not 415. */
#define MINI_ROUTE_FLAGS GR_ROUTE_ANY_CONTENT_TYPE
#define PLAIN_ROUTE .access = GR_ACCESS_GROUP

static const struct gr_field by_minigroup_id[] = {ID_ROW("minigroup_id"), GR_END};
static const struct gr_field by_webinar_id[] = {ID_ROW("webinar_id"), GR_END};
static const struct gr_field by_id[] = {ID_ROW("id"), GR_END};
static const struct gr_field by_scope[] = {
    GR_FIELD("audience", GR_STRING, "Tenant"),
    GR_FIELD("scope", GR_STRING, "Name of the class at the tenant"),
    GR_END,
};
static const struct gr_field by_property[] = {
    ID_ROW("id"),
    GR_FIELD("property_id", GR_STRING, "Name of the property"),
    GR_END,
};
static const struct gr_field by_account_property[] = {
    GR_FIELD("property_id", GR_STRING, "Name of the property"),
    GR_END,
};
static const struct gr_field by_audience[] = {
    GR_FIELD("audience", GR_STRING, "Tenant"),
    GR_END,
};

#define TOKEN_ROW                                                                                  \
    GR_FIELD("access_token", GR_STRING, "Bearer token, when there is no Authorization header",     \
             .flags = GR_FIELD_SECRET)
static const struct gr_field plain_query[] = {TOKEN_ROW, GR_END};
static const struct gr_field read_query[] = {
    GR_FIELD("class_keys[]", GR_STRING, "Name of a class property to include",
             .flags = GR_FIELD_REPEATED),
    GR_FIELD("account_keys[]", GR_STRING, "Name of a property of the caller's account to include",
             .flags = GR_FIELD_REPEATED),
    TOKEN_ROW,
    GR_END,
};
static const struct gr_field callback_query[] = {
    GR_FIELD("label", GR_STRING, "Label of the message, when the header Gateway-Label is absent"),
    TOKEN_ROW,
    GR_END,
};
static const struct gr_field callback_headers[] = {
    GR_FIELD("Gateway-Label", GR_STRING,
             "Label of the message: room.close, room.upload, room.adjust …"),
    GR_FIELD("Gateway-Agent-Id", GR_STRING, "Agent id of the service that sent the message"),
    GR_END,
};

#define OBJECT_BODY(rows_, flags_) GR_BODY(GR_OBJECT, .fields = (rows_), .flags = (flags_))

static const struct gr_route routes[] = {
    GR_POST("/api/v1/minigroups", "minigroups.create",
            "Create a minigroup with its event room and conference room", CREATE_ROUTE,
            .query = plain_query, .body = OBJECT_BODY(mini_create_body, GR_FIELD_REQUIRED),
            .handle = mini_create, .source = DOC),
    GR_GET("/api/v1/minigroups/{minigroup_id}", "minigroups.read", "Read a minigroup", PLAIN_ROUTE,
           .params = by_minigroup_id, .query = read_query, .handle = mini_read, .source = DOC),
    GR_GET("/api/v1/audiences/{audience}/minigroups/{scope}", "minigroups.read_by_scope",
           "Read a minigroup by audience and scope", PLAIN_ROUTE, .params = by_scope,
           .query = read_query, .handle = mini_read, .source = DOC),
    GR_PUT("/api/v1/minigroups/{minigroup_id}", "minigroups.update",
           "Change a minigroup's time, reserve or host", BODY_ROUTE, .params = by_minigroup_id,
           .query = plain_query, .body = OBJECT_BODY(mini_update_body, GR_FIELD_REQUIRED),
           .handle = mini_update, .source = DOC),
    GR_PUT("/api/v1/audiences/{audience}/minigroups/{scope}", "minigroups.update_by_scope",
           "Change a minigroup by audience and scope", BODY_ROUTE, .params = by_scope,
           .query = plain_query, .body = OBJECT_BODY(mini_update_body, GR_FIELD_REQUIRED),
           .handle = mini_update, .source = DOC),
    GR_POST("/api/v1/minigroups/{minigroup_id}/recreate", "minigroups.recreate",
            "Give a minigroup new rooms", CREATE_ROUTE, .params = by_minigroup_id,
            .query = plain_query, .body = OBJECT_BODY(mini_recreate_body, 0),
            .handle = mini_recreate, .source = DOC),
    GR_GET("/api/v1/minigroups/{minigroup_id}/download", "minigroups.download",
           "Get the URL of a minigroup's recording", PLAIN_ROUTE, .params = by_minigroup_id,
           .query = plain_query, .handle = mini_download, .source = DOC),
    GR_POST("/api/v1/minigroups/{minigroup_id}/events", "minigroups.create_event",
            "Create an event in a minigroup's event room", CREATE_ROUTE, .params = by_minigroup_id,
            .query = plain_query, .body = OBJECT_BODY(mini_event_body, GR_FIELD_REQUIRED),
            .handle = mini_post_event, .source = DOC),
    GR_POST("/api/v1/minigroups/{webinar_id}/timestamps", "minigroups.save_position",
            "Save the caller's position in the recording", BODY_ROUTE, .params = by_webinar_id,
            .query = plain_query, .body = OBJECT_BODY(mini_timestamp_body, GR_FIELD_REQUIRED),
            .handle = mini_save_position, .source = DOC),
    GR_GET("/api/v1/minigroups/{id}/properties/{property_id}", "minigroups.read_property",
           "Read one property", PLAIN_ROUTE, .params = by_property, .query = plain_query,
           .handle = mini_property, .source = DOC),
    GR_PUT("/api/v1/minigroups/{id}/properties/{property_id}", "minigroups.update_property",
           "Set one property to any JSON value", .access = GR_ACCESS_GROUP,
           .admit = mini_admit_json, .flags = MINI_ROUTE_FLAGS | GR_ROUTE_RAW_BODY,
           .body_max_bytes = BODY_MAX, .params = by_property, .query = plain_query,
           .body = GR_BODY(GR_ANY), .handle = mini_set_property, .source = DOC),
    GR_POST("/api/v1/minigroups/{id}/whiteboard", "minigroups.create_whiteboard",
            "Create a whiteboard", PLAIN_ROUTE, .flags = GR_ROUTE_IDEMPOTENCY_KEY, .params = by_id,
            .query = plain_query, .handle = mini_whiteboard, .source = DOC),
    GR_GET("/api/v1/account/properties/{property_id}", "minigroups.read_account_property",
           "Read one property of the caller's account", PLAIN_ROUTE, .params = by_account_property,
           .query = plain_query, .handle = mini_account_property, .source = DOC),
    GR_PUT("/api/v1/account/properties/{property_id}", "minigroups.update_account_property",
           "Set one property of the caller's account", .access = GR_ACCESS_GROUP,
           .admit = mini_admit_json, .flags = MINI_ROUTE_FLAGS | GR_ROUTE_RAW_BODY,
           .body_max_bytes = BODY_MAX, .params = by_account_property, .query = plain_query,
           .body = GR_BODY(GR_ANY), .handle = mini_set_account_property, .source = DOC),
    GR_POST("/api/v1/transcoding/minigroup/{id}/restart", "minigroups.restart_transcoding",
            "Request the transcoding of an adjusted minigroup again", BODY_ROUTE, .params = by_id,
            .query = plain_query, .body = OBJECT_BODY(mini_restart_body, 0), .handle = mini_restart,
            .source = DOC),
    GR_POST("/api/v1/audiences/{audience}/events", "minigroups.callback",
            "Report what happened to a room of a class", BODY_ROUTE, .params = by_audience,
            .query = callback_query, .headers = callback_headers,
            .body = GR_BODY(GR_OBJECT, .flags = GR_FIELD_REQUIRED), .handle = mini_callback,
            .source = DOC),
    GR_END,
};

static const struct gr_metric metrics[] = {
    {"callbacks", GR_COUNTER, "Messages about rooms received", "label"},
    {"outbox_sent", GR_COUNTER, "Requests sent from the outbox", "kind"},
    {"outbox_dropped", GR_COUNTER, "Requests dropped after the last attempt", "kind"},
    GR_END,
};

static const struct gr_timer timers[] = {
    {.name = MINI_INBOX_TIMER, .interval_ms = 1000, .run = mini_inbox_run},
    {.name = "inbox_repair", .interval_ms = 10000, .run = mini_inbox_repair},
    {.name = MINI_OUTBOX_TIMER, .interval_ms = 1000, .run = mini_outbox_run},
    GR_END,
};

static const char *const owned[] = {"/api/v1/minigroups", "/api/v1/audiences",
                                    "/api/v1/account/properties", "/api/v1/transcoding", NULL};

GR_PLUGIN("minigroups", .version = "1.0.0",
          .summary = "Minigroups: classes with an event room and a conference room",
          .licence = "MIT", .routes = routes, .options = mini_option_rows,
          .options_size = sizeof(struct mini_options), .migrations = mini_migrations,
          .metrics = metrics, .timers = timers, .commands = mini_commands, .owns = owned,
          .flags = GR_PLUGIN_ANY_ORIGIN, .render_error = mini_render_error,
          .error_body = mini_error_body, .authenticate = mini_authenticate, .init = mini_state_init,
          .fini = mini_state_fini)
