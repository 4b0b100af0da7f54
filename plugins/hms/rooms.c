/*
 * rooms: the rooms of a workspace. The group active_rooms has the running session of a room.
 */
#include "common.h"

#include <jansson.h>

static gr_check_fn check_size;

/* Bodies ----------------------------------------------------------------------------------- */

static const struct gr_field storage[] = {
    GR_FIELD("type", GR_STRING, "Kind of storage", .flags = GR_FIELD_REQUIRED | GR_FIELD_HINTS,
             .values = HMS_STORAGE_TYPES),
    GR_FIELD("location", GR_STRING, "Bucket or container", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("prefix", GR_STRING, "Folder inside the bucket"),
    GR_FIELD("options", GR_OBJECT, "Further options", .fields = hms_storage_options),
    GR_FIELD("credentials", GR_OBJECT, "Credentials with which 100ms writes to the bucket",
             .fields = hms_storage_credentials),
    GR_END,
};

static const struct gr_field recording_info[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether to record every session (SFU recording)",
             .default_doc = "false"),
    GR_FIELD("upload_info", GR_OBJECT, "Storage for the recordings; without it 100ms stores them",
             .fields = storage),
    GR_END,
};

/* Members of a new and of a changed room. */
#define ROOM_MEMBERS                                                                               \
    GR_FIELD("name", GR_STRING, "Unique name, case-insensitive; 100ms makes one up when absent",   \
             .pattern = HMS_ROOM_NAME, .example = "\"algebra-tue.07\""),                           \
        GR_FIELD("description", GR_STRING, "Free text"),                                           \
        GR_FIELD("recording_info", GR_OBJECT, "Recording settings, which replace the template's",  \
                 .fields = recording_info),                                                        \
        GR_FIELD("region", GR_STRING, "Region of the media servers", .values = HMS_REGIONS,        \
                 .default_doc = "auto"),                                                           \
        GR_FIELD("large_room", GR_BOOL, "Whether the room may have more than 2500 peers",          \
                 .default_doc = "false"),                                                          \
        GR_FIELD("max_duration_seconds", GR_INT, "Maximum length of a session in seconds",         \
                 .range = HMS_SESSION_SECONDS),                                                    \
        GR_FIELD("polls", GR_ARRAY, "IDs of polls that belong to the room",                        \
                 .items = GR_ITEM(GR_STRING)),                                                     \
        GR_FIELD("webhook", GR_OBJECT,                                                             \
                 "Receiver of this room's events, which replaces the workspace's",                 \
                 .fields = hms_room_webhook)

#define ROOM_SIZE(...)                                                                             \
    GR_FIELD("size", GR_INT, "Maximum number of peers: up to 2500, or 20000 with large_room",      \
             .range = GR_RANGE(0, HMS_ROOM_SIZE_LARGE), __VA_ARGS__)

static const struct gr_field new_room[] = {
    ROOM_MEMBERS,
    ROOM_SIZE(.check = check_size),
    GR_FIELD("template_id", GR_STRING, "Template of the room",
             .default_doc = "the default template"),
    GR_END,
};

/* The rows are hints only, so that a room which was read, changed and written back is never refused
 * for a value that 100ms itself put there. */
static const struct gr_field changed_room[] = {
    ROOM_MEMBERS,
    ROOM_SIZE(.check = NULL),
    GR_FIELD("enabled", GR_BOOL, "Whether peers can join"),
    GR_END,
};

/* Answers ---------------------------------------------------------------------------------- */

static const struct gr_field room[] = {
    ROOM_MEMBERS,
    GR_FIELD("size", GR_INT, "Maximum number of peers; 0: the limit of the template"),
    GR_FIELD("template_id", GR_STRING, "Template of the room"),
    GR_FIELD("enabled", GR_BOOL, "Whether peers can join"),
    GR_FIELD("id", GR_STRING, "ID of the room"),
    GR_FIELD("customer_id", GR_STRING, "ID of the workspace's owner"),
    GR_FIELD("app_id", GR_STRING, "ID of the workspace"),
    GR_FIELD("recording_source_template", GR_BOOL,
             "Whether the recording settings follow the template"),
    GR_FIELD("enabled_source_template", GR_BOOL, "Whether `enabled` follows the template"),
    GR_FIELD("created_at", GR_TIME, "When the room was created"),
    GR_FIELD("updated_at", GR_TIME, "When the room was changed last"),
    GR_END,
};

#define ROOM_ANSWER(doc_)                                                                          \
    HMS_ANSWER(200, doc_, .schema = HMS_OBJECT(room),                                              \
               .example = HMS_JSON({                                                               \
                   "id" : "66f1c0a2b4d93e5a7c118e01",                                              \
                   "name" : "algebra-tue.07",                                                      \
                   "enabled" : true,                                                               \
                   "template_id" : "66f1bfe7b4d93e5a7c118d9a",                                     \
                   "region" : "eu",                                                                \
                   "large_room" : false,                                                           \
                   "size" : 0,                                                                     \
                   "max_duration_seconds" : 5400,                                                  \
                   "recording_info" : {"enabled" : false},                                         \
                   "created_at" : "2025-03-04T17:02:11.48Z",                                       \
                   "updated_at" : "2025-03-04T17:02:11.48Z"                                        \
               }))

/* Routes ----------------------------------------------------------------------------------- */

static const struct gr_field list_query[] = {
    GR_FIELD("name", GR_STRING, "Only the room with exactly this name"),
    GR_FIELD("enabled", GR_BOOL, "Only enabled rooms, or only disabled ones",
             .default_doc = "true"),
    GR_FIELD("after", GR_TIME, "Only rooms created at or after this time"),
    GR_FIELD("before", GR_TIME, "Only rooms created at or before this time"),
    GR_FIELD("template_id", GR_STRING, "Only rooms of this template"),
    HMS_QUERY_LIMIT,
    HMS_QUERY_START,
    GR_END,
};

static const struct gr_route routes[] = {
    HMS_GET("/rooms", "rooms.list", "List the rooms", .scope = "rooms:read", .query = list_query,
            .answers = HMS_ANSWER(200, "One page of rooms", .schema = HMS_PAGE("data", room)),
            .doc = "The documentation of 100ms contradicts itself about the default of `enabled`.",
            .source = HMS_API("Rooms/list-rooms")),
    HMS_GET("/rooms/{roomId}", "rooms.get", "Fetch one room", .scope = "rooms:read",
            .params = hms_room_params, .answers = ROOM_ANSWER("The room"),
            .source = HMS_API("Rooms/retrieve-room")),
    HMS_POST("/rooms", "rooms.create", "Create a room, or change the room with this name",
             .scope = "rooms:write", .flags = GR_ROUTE_IDEMPOTENCY_KEY,
             .body = GR_BODY(GR_OBJECT, .fields = new_room),
             .answers = ROOM_ANSWER("The room, new or changed"),
             .doc = "When a room with this name exists, the members that are sent replace its own, "
                    "the template included. Without a name every call creates another room, so the "
                    "gateway never repeats the call.",
             .source = HMS_API("Rooms/create-via-api")),
    HMS_POST("/rooms/{roomId}", "rooms.update", "Change a room", .scope = "rooms:write",
             .params = hms_room_params,
             .body = GR_BODY(GR_OBJECT, .fields = changed_room,
                             .flags = GR_FIELD_REQUIRED | GR_FIELD_HINTS),
             .answers = ROOM_ANSWER("The room"), .source = HMS_API("Rooms/update-a-room")),
    GR_POST("/rooms/{roomId}/enable", "rooms.enable", "Let peers join a room again",
            .scope = "rooms:write", .params = hms_room_params,
            .forward = GR_FORWARD(HMS_UPSTREAM, "/rooms/{roomId}", .flags = GR_FORWARD_IDEMPOTENT,
                                  .body = "{\"enabled\":true}"),
            .answers = ROOM_ANSWER("The room"), .source = HMS_API("Rooms/disable-or-enable")),
    GR_POST("/rooms/{roomId}/disable", "rooms.disable", "Keep peers from joining a room",
            .scope = "rooms:write", .params = hms_room_params,
            .forward = GR_FORWARD(HMS_UPSTREAM, "/rooms/{roomId}", .flags = GR_FORWARD_IDEMPOTENT,
                                  .body = "{\"enabled\":false}"),
            .answers = ROOM_ANSWER("The room"), .doc = "A running session continues until it ends.",
            .source = HMS_API("Rooms/disable-or-enable")),
    GR_END,
};

/* Checks ----------------------------------------------------------------------------------- */

/* A new room is large only when its body says so. */
static enum gr_err check_size(struct gr_call *call, const json_t *parent, const json_t *value)
{
    if (json_is_true(json_object_get(parent, "large_room")) ||
        json_integer_value(value) <= HMS_ROOM_SIZE)
        return GR_OK;
    return gr_invalid(call, "", GR_PROBLEM_MAX,
                      "an integer from 0 to %d (more only with large_room)", HMS_ROOM_SIZE);
}

static const char *const owns[] = {"/rooms", NULL};

GR_PLUGIN("rooms", .version = HMS_VERSION, .summary = "Rooms of 100ms", .licence = HMS_LICENCE,
          .routes = routes, .owns = owns)
