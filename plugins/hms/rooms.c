/*
 * rooms: the lasting rooms of a workspace. What happens inside one is the group active_rooms.
 */
#include "common.h"

#include <jansson.h>

#define SIZE_MAX_PLAIN 2500
#define SIZE_MAX_LARGE 20000

static gr_check_fn size_of_new_room, size_of_old_room;

/* Bodies ----------------------------------------------------------------------------------- */

static const struct gr_field storage_credentials[] = {
    GR_FIELD("key", GR_STRING, "access key of the bucket", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("secret", GR_STRING, "its secret", .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET),
    GR_END,
};

static const struct gr_field storage[] = {
    GR_FIELD("type", GR_STRING, "kind of storage", .flags = GR_FIELD_REQUIRED,
             .values = hms_storage_types),
    GR_FIELD("location", GR_STRING, "bucket or container", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("prefix", GR_STRING, "folder inside the bucket"),
    GR_FIELD("options", GR_OBJECT, "further options", .fields = hms_storage_options),
    GR_FIELD("credentials", GR_OBJECT, "how 100ms may write there", .fields = storage_credentials),
    GR_END,
};

static const struct gr_field recording_info[] = {
    GR_FIELD("enabled", GR_BOOL, "record every session (SFU recording)", .default_doc = "false"),
    GR_FIELD("upload_info", GR_OBJECT, "own storage; without it 100ms stores", .fields = storage),
    GR_END,
};

static const struct gr_field webhook[] = {
    GR_FIELD("url", GR_STRING, "where events of this room are sent", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("headers", GR_MAP, "headers sent along with each event",
             .items = GR_ITEM(GR_STRING, .flags = GR_FIELD_SECRET)),
    GR_END,
};

static const char *const regions[] = {"eu", "in", "us", "auto", NULL};

/* What a room has, whether it is made or changed. */
#define ROOM_MEMBERS                                                                               \
    GR_FIELD("name", GR_STRING, "unique name, without regard to case; made up when absent",        \
             .pattern = "[A-Za-z0-9.:_-]+", .example = "\"algebra-tue.07\""),                      \
        GR_FIELD("description", GR_STRING, "free text"),                                           \
        GR_FIELD("recording_info", GR_OBJECT, "own recording settings, instead of the template's", \
                 .fields = recording_info),                                                        \
        GR_FIELD("region", GR_STRING, "where the media runs", .values = regions,                   \
                 .default_doc = "auto"),                                                           \
        GR_FIELD("large_room", GR_BOOL, "allows more than 2500 peers", .default_doc = "false"),    \
        GR_FIELD("max_duration_seconds", GR_INT, "longest session in seconds",                     \
                 .range = GR_RANGE(120, 43200)),                                                   \
        GR_FIELD("polls", GR_ARRAY, "ids of polls that belong to the room",                        \
                 .items = GR_ITEM(GR_STRING)),                                                     \
        GR_FIELD("webhook", GR_OBJECT,                                                             \
                 "receiver of this room's events, instead of the workspace's", .fields = webhook)

#define ROOM_SIZE(check_)                                                                          \
    GR_FIELD("size", GR_INT, "most peers at a time: up to 2500, or 20000 with large_room",         \
             .range = GR_RANGE(0, SIZE_MAX_LARGE), .check = (check_))

static const struct gr_field new_room[] = {
    ROOM_MEMBERS,
    ROOM_SIZE(size_of_new_room),
    GR_FIELD("template_id", GR_STRING, "template of the room",
             .default_doc = "the default template"),
    GR_END,
};

static const struct gr_field changed_room[] = {
    ROOM_MEMBERS,
    ROOM_SIZE(size_of_old_room),
    GR_FIELD("enabled", GR_BOOL, "false: nobody can join any more"),
    GR_END,
};

/* Answers ---------------------------------------------------------------------------------- */

static const struct gr_field room[] = {
    ROOM_MEMBERS,
    GR_FIELD("size", GR_INT, "most peers at a time; 0 is the template's limit"),
    GR_FIELD("template_id", GR_STRING, "template of the room"),
    GR_FIELD("enabled", GR_BOOL, "whether peers can join"),
    GR_FIELD("id", GR_STRING, "id of the room"),
    GR_FIELD("customer_id", GR_STRING, "id of the workspace's owner"),
    GR_FIELD("app_id", GR_STRING, "id of the workspace"),
    GR_FIELD("recording_source_template", GR_BOOL, "recording settings follow the template"),
    GR_FIELD("enabled_source_template", GR_BOOL, "`enabled` follows the template"),
    GR_FIELD("created_at", GR_TIME, "when the room was made"),
    GR_FIELD("updated_at", GR_TIME, "when it was changed last"),
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
    GR_FIELD("name", GR_STRING, "only the room of exactly this name"),
    GR_FIELD("enabled", GR_BOOL, "only rooms that are enabled, or only disabled ones",
             .default_doc = "true"),
    GR_FIELD("after", GR_TIME, "only rooms made at or after this time"),
    GR_FIELD("before", GR_TIME, "only rooms made at or before this time"),
    GR_FIELD("template_id", GR_STRING, "only rooms of this template"),
    HMS_QUERY_LIMIT,
    HMS_QUERY_START,
    GR_END,
};

static const struct gr_route routes[] = {
    GR_GET("/rooms", "rooms.list", "List the rooms", .scope = "rooms:read", .query = list_query,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/rooms"),
           .answers = HMS_ANSWER(200, "one page of rooms", .schema = HMS_PAGE("data", room)),
           .doc = "The documentation is at odds with itself on what `enabled` means when absent.",
           .source = HMS_API("Rooms/list-rooms")),
    GR_GET("/rooms/{roomId}", "rooms.get", "Fetch one room", .scope = "rooms:read",
           .params = hms_room_params, .forward = GR_FORWARD(HMS_UPSTREAM, "/rooms/{roomId}"),
           .answers = ROOM_ANSWER("the room"), .source = HMS_API("Rooms/retrieve-room")),
    GR_POST("/rooms", "rooms.create", "Create a room, or change the room of that name",
            .scope = "rooms:write", .body = GR_BODY(GR_OBJECT, .fields = new_room),
            .forward = GR_FORWARD(HMS_UPSTREAM, "/rooms"),
            .answers = ROOM_ANSWER("the room, new or changed"),
            .doc = "With a name that exists, that room takes over what is sent, its template "
                   "included. Without a name every call makes another room, so it is never "
                   "repeated on its own.",
            .source = HMS_API("Rooms/create-via-api")),
    GR_POST("/rooms/{roomId}", "rooms.update", "Change a room", .scope = "rooms:write",
            .params = hms_room_params,
            .body = GR_BODY(GR_OBJECT, .fields = changed_room, .flags = GR_FIELD_REQUIRED),
            .forward = GR_FORWARD(HMS_UPSTREAM, "/rooms/{roomId}"),
            .answers = ROOM_ANSWER("the room"), .source = HMS_API("Rooms/update-a-room")),
    GR_POST("/rooms/{roomId}/enable", "rooms.enable", "Let peers join a room again",
            .scope = "rooms:write", .params = hms_room_params,
            .forward = GR_FORWARD(HMS_UPSTREAM, "/rooms/{roomId}", .flags = GR_FORWARD_IDEMPOTENT,
                                  .body = "{\"enabled\":true}"),
            .answers = ROOM_ANSWER("the room"), .source = HMS_API("Rooms/disable-or-enable")),
    GR_POST("/rooms/{roomId}/disable", "rooms.disable", "Let nobody join a room any more",
            .scope = "rooms:write", .params = hms_room_params,
            .forward = GR_FORWARD(HMS_UPSTREAM, "/rooms/{roomId}", .flags = GR_FORWARD_IDEMPOTENT,
                                  .body = "{\"enabled\":false}"),
            .answers = ROOM_ANSWER("the room"), .doc = "A running session goes on until it ends.",
            .source = HMS_API("Rooms/disable-or-enable")),
    GR_END,
};

/* Checks ----------------------------------------------------------------------------------- */

static enum gr_err check_size(struct gr_call *call, const json_t *size, bool large)
{
    if (large || json_integer_value(size) <= SIZE_MAX_PLAIN)
        return GR_OK;
    return gr_invalid(call, "", GR_PROBLEM_MAX,
                      "an integer from 0 to %d (more only with large_room)", SIZE_MAX_PLAIN);
}

/* A new room is large only when it is said. */
static enum gr_err size_of_new_room(struct gr_call *call, const json_t *parent, const json_t *value)
{
    return check_size(call, value, json_is_true(json_object_get(parent, "large_room")));
}

/* An old room may be large already: it is not only when it is said. */
static enum gr_err size_of_old_room(struct gr_call *call, const json_t *parent, const json_t *value)
{
    return check_size(call, value, !json_is_false(json_object_get(parent, "large_room")));
}

static const char *const owns[] = {"/rooms", NULL};

GR_PLUGIN("rooms", .version = HMS_VERSION, .summary = "Rooms of 100ms", .licence = HMS_LICENCE,
          .routes = routes, .owns = owns)
