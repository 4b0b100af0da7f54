/*
 * stream_keys: keys with which RTMP software streams into a room. The URL can change, so clients
 * fetch it before each broadcast.
 */
#include "common.h"

static const struct gr_field key[] = {
    GR_FIELD("id", GR_STRING, "ID of the key"),
    GR_FIELD("key", GR_STRING, "The stream key", .flags = GR_FIELD_SECRET),
    GR_FIELD("url", GR_STRING, "URL of the RTMP server"),
    GR_FIELD("room_id", GR_STRING, "Room that receives the stream"),
    GR_FIELD("customer_id", GR_STRING, "ID of the workspace's owner"),
    GR_FIELD("app_id", GR_STRING, "ID of the workspace"),
    GR_FIELD("enabled", GR_BOOL, "Whether the key is enabled"),
    GR_FIELD("created_at", GR_TIME, "When the key was created"),
    GR_FIELD("updated_at", GR_TIME, "When the key was changed last"),
    GR_END,
};

static const struct gr_route routes[] = {
    GR_GET("/stream-keys/{roomId}", "stream_keys.get", "Fetch the stream key of a room",
           .alias = "/stream-keys/room/{roomId}", .scope = "stream_keys:read",
           .params = hms_room_params,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/stream-keys/room/{roomId}"),
           .answers = HMS_ANSWER(200, "A list with the key", .schema = HMS_PAGE("data", key)),
           .source = HMS_API("stream-key/get-rtmp-stream-key")),
    GR_POST("/stream-keys/{roomId}", "stream_keys.create", "Create the stream key of a room",
            .alias = "/stream-keys/room/{roomId}", .scope = "stream_keys:write",
            .flags = GR_ROUTE_IDEMPOTENCY_KEY, .params = hms_room_params,
            .forward =
                GR_FORWARD(HMS_UPSTREAM, "/stream-keys/room/{roomId}", .flags = GR_FORWARD_NO_BODY),
            .answers = HMS_ANSWER(200, "The key", .schema = HMS_OBJECT(key)),
            .doc = "A room has one key at a time: disable the old one first.",
            .source = HMS_API("stream-key/create-rtmp-stream-key")),
    GR_POST("/stream-keys/{roomId}/disable", "stream_keys.disable",
            "Disable the stream key of a room", .alias = "/stream-keys/room/{roomId}/disable",
            .scope = "stream_keys:write", .params = hms_room_params,
            .forward = GR_FORWARD(HMS_UPSTREAM, "/stream-keys/room/{roomId}/disable",
                                  .flags = GR_FORWARD_NO_BODY),
            .answers = HMS_ANSWER(201, "The key is disabled; the status can also be 200",
                                  .schema = HMS_OBJECT(hms_message)),
            .doc = "A second call answers 404, so the gateway does not repeat it.",
            .source = HMS_API("stream-key/disable-rtmp-stream-key")),
    GR_END,
};

static const char *const owns[] = {"/stream-keys", NULL};

GR_PLUGIN("stream_keys", .version = HMS_VERSION,
          .summary = "Keys for RTMP streams into 100ms rooms", .licence = HMS_LICENCE,
          .routes = routes, .owns = owns, .flags = GR_PLUGIN_NO_STORE)
