/*
 * stream_keys: keys by which RTMP software sends into a room. The URL can change: fetch it before
 * each broadcast.
 */
#include "common.h"

static const struct gr_field key[] = {
    GR_FIELD("id", GR_STRING, "ID of the key"),
    GR_FIELD("key", GR_STRING, "The stream key", .flags = GR_FIELD_SECRET),
    GR_FIELD("url", GR_STRING, "Server to send to"),
    GR_FIELD("room_id", GR_STRING, "Room it leads into"),
    GR_FIELD("customer_id", GR_STRING, "ID of the workspace's owner"),
    GR_FIELD("app_id", GR_STRING, "ID of the workspace"),
    GR_FIELD("enabled", GR_BOOL, "Whether it works"),
    GR_FIELD("created_at", GR_TIME, "When it was made"),
    GR_FIELD("updated_at", GR_TIME, "When it was changed last"),
    GR_END,
};

static const struct gr_route routes[] = {
    GR_GET("/stream-keys/{roomId}", "stream_keys.get", "Fetch the stream key of a room",
           .alias = "/stream-keys/room/{roomId}", .scope = "stream_keys:read",
           .params = hms_room_params,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/stream-keys/room/{roomId}"),
           .answers = HMS_ANSWER(200, "A list with the key", .schema = HMS_PAGE("data", key)),
           .source = HMS_API("stream-key/get-rtmp-stream-key")),
    GR_POST("/stream-keys/{roomId}", "stream_keys.create", "Make the stream key of a room",
            .alias = "/stream-keys/room/{roomId}", .scope = "stream_keys:write",
            .params = hms_room_params,
            .forward =
                GR_FORWARD(HMS_UPSTREAM, "/stream-keys/room/{roomId}", .flags = GR_FORWARD_NO_BODY),
            .answers = HMS_ANSWER(200, "The key", .schema = HMS_OBJECT(key)),
            .doc = "A room has one key at a time: disable the old one before.",
            .source = HMS_API("stream-key/create-rtmp-stream-key")),
    GR_POST("/stream-keys/{roomId}/disable", "stream_keys.disable",
            "Disable the stream key of a room", .alias = "/stream-keys/room/{roomId}/disable",
            .scope = "stream_keys:write", .params = hms_room_params,
            .forward = GR_FORWARD(HMS_UPSTREAM, "/stream-keys/room/{roomId}/disable",
                                  .flags = GR_FORWARD_NO_BODY),
            .answers = HMS_ANSWER(201, "It is disabled; the status can be 200 as well",
                                  .schema = HMS_OBJECT(hms_message)),
            .doc = "A second call answers 404, so it is not repeated on its own.",
            .source = HMS_API("stream-key/disable-rtmp-stream-key")),
    GR_END,
};

static const char *const owns[] = {"/stream-keys", NULL};

GR_PLUGIN("stream_keys", .version = HMS_VERSION, .summary = "Keys to send RTMP into 100ms rooms",
          .licence = HMS_LICENCE, .routes = routes, .owns = owns, .flags = GR_PLUGIN_NO_STORE)
