/*
 * active_rooms: the running session of a room: its peers, messages to them, and ending it.
 */
#include "common.h"

static const struct gr_field peer_params[] = {
    HMS_PARAM_ROOM,
    HMS_PARAM_ID("peerId", "ID of the peer; a new one for every join"),
    GR_END,
};

static const struct gr_field peers_query[] = {
    GR_FIELD("user_id", GR_STRING, "Only peers with this user in their join token"),
    GR_FIELD("role", GR_STRING, "Only peers of this role"),
    GR_END,
};

/* Bodies ----------------------------------------------------------------------------------- */

static const struct gr_field changed_peer[] = {
    GR_FIELD("name", GR_STRING, "Name shown to the other peers"),
    GR_FIELD("role", GR_STRING, "New role", .binds = "role"),
    GR_FIELD("metadata", GR_STRING, "Free text of the application; JSON is sent as a string"),
    GR_END,
};

/* Answers ---------------------------------------------------------------------------------- */

static const struct gr_field session[] = {
    GR_FIELD("id", GR_STRING, "ID of the session"),
    GR_FIELD("created_at", GR_TIME, "When the session began"),
    GR_FIELD("peers", GR_ARRAY, "IDs of the peers in the session", .items = GR_ITEM(GR_STRING)),
    GR_END,
};

static const struct gr_field active_room[] = {
    GR_FIELD("id", GR_STRING, "ID of the room"),
    GR_FIELD("name", GR_STRING, "Name of the room"),
    GR_FIELD("customer_id", GR_STRING, "ID of the workspace's owner"),
    GR_FIELD("session", GR_OBJECT, "The running session", .fields = session),
    GR_END,
};

static const char *const track_types[] = {"audio", "video", NULL};

static const struct gr_field track[] = {
    GR_FIELD("id", GR_STRING, "ID of the track"),
    GR_FIELD("stream_id", GR_STRING, "ID of the track's stream"),
    GR_FIELD("mute", GR_BOOL, "Whether the track is muted"),
    GR_FIELD("type", GR_STRING, "Kind of media", .values = track_types),
    GR_FIELD("source", GR_STRING, "`regular` or `screen`"),
    GR_FIELD("started_at", GR_TIME, "When the track was published"),
    GR_FIELD("description", GR_STRING, "Free text"),
    GR_END,
};

#define PEER_MEMBERS                                                                               \
    GR_FIELD("id", GR_STRING, "ID of the peer"),                                                   \
        GR_FIELD("name", GR_STRING, "Name shown to the other peers"),                              \
        GR_FIELD("user_id", GR_STRING, "User named in the join token"),                            \
        GR_FIELD("metadata", GR_STRING, "Free text of the application"),                           \
        GR_FIELD("role", GR_STRING, "Current role"),                                               \
        GR_FIELD("joined_at", GR_TIME, "When the peer joined")

static const struct gr_field listed_peer[] = {PEER_MEMBERS, GR_END};

static const struct gr_field peer[] = {
    PEER_MEMBERS,
    GR_FIELD("tracks", GR_MAP, "Tracks that the peer publishes, by id",
             .items = GR_ITEM(GR_OBJECT, .fields = track)),
    GR_END,
};

static const struct gr_field peers[] = {
    GR_FIELD("peers", GR_MAP, "Peers by id; empty when none matches",
             .items = GR_ITEM(GR_OBJECT, .fields = listed_peer)),
    GR_END,
};

/* Routes ----------------------------------------------------------------------------------- */

static const struct gr_route routes[] = {
    HMS_GET("/active-rooms/{roomId}", "active_rooms.get", "Fetch the running session of a room",
            .scope = "active_rooms:read", .params = hms_room_params,
            .answers =
                HMS_ANSWER(200, "The room with its session", .schema = HMS_OBJECT(active_room)),
            .doc = "Answers 404 when the room has no running session.",
            .source = HMS_API("active-rooms/retrieve-active-room")),
    HMS_GET("/active-rooms/{roomId}/peers", "active_rooms.list_peers", "List the connected peers",
            .scope = "active_rooms:read", .params = hms_room_params, .query = peers_query,
            .answers =
                HMS_ANSWER(200, "All matching peers, without paging", .schema = HMS_OBJECT(peers)),
            .source = HMS_API("active-rooms/list-peers")),
    HMS_GET("/active-rooms/{roomId}/peers/{peerId}", "active_rooms.get_peer",
            "Fetch one connected peer with its tracks", .scope = "active_rooms:read",
            .params = peer_params,
            .answers = HMS_ANSWER(200, "The peer", .schema = HMS_OBJECT(peer)),
            .source = HMS_API("active-rooms/retrieve-peer")),
    HMS_POST("/active-rooms/{roomId}/peers/{peerId}", "active_rooms.update_peer",
             "Change name, role or metadata of a peer", .scope = "active_rooms:write",
             .params = peer_params,
             .body = GR_BODY(GR_OBJECT, .fields = changed_peer, .flags = GR_FIELD_REQUIRED),
             .answers = HMS_ANSWER(200, "The peer", .schema = HMS_OBJECT(peer)),
             .source = HMS_API("active-rooms/update-a-peer")),
    HMS_POST("/active-rooms/{roomId}/send-message", "active_rooms.send_message",
             "Send a message to a peer, a role or all peers", .scope = "active_rooms:write",
             .params = hms_room_params,
             .body = GR_BODY(GR_OBJECT, .fields = hms_room_message, .flags = GR_FIELD_REQUIRED),
             .answers = HMS_ANSWER(200, "The message was sent", .schema = HMS_OBJECT(hms_message)),
             .source = HMS_API("active-rooms/send-message")),
    HMS_POST("/active-rooms/{roomId}/remove-peers", "active_rooms.remove_peers",
             "Disconnect one peer, or all peers of a role", .scope = "active_rooms:write",
             .params = hms_room_params,
             .body = GR_BODY(GR_OBJECT, .fields = hms_room_removal, .flags = GR_FIELD_REQUIRED),
             .answers =
                 HMS_ANSWER(200, "The removal was requested", .schema = HMS_OBJECT(hms_message)),
             .source = HMS_API("active-rooms/remove-peers")),
    GR_POST("/active-rooms/{roomId}/end-room", "active_rooms.end_room", "End the running session",
            .scope = "active_rooms:write", .params = hms_room_params,
            .body = GR_BODY(GR_OBJECT, .fields = hms_room_end),
            .forward = GR_FORWARD(HMS_UPSTREAM, "/active-rooms/{roomId}/end-room",
                                  .flags = GR_FORWARD_IDEMPOTENT),
            .answers = HMS_ANSWER(200, "The session is ending", .schema = HMS_OBJECT(hms_message)),
            .source = HMS_API("active-rooms/end-active-room")),
    GR_END,
};

static const char *const owns[] = {"/active-rooms", NULL};

GR_PLUGIN("active_rooms", .version = HMS_VERSION,
          .summary = "Running sessions of 100ms rooms and the peers in them",
          .licence = HMS_LICENCE, .routes = routes, .owns = owns)
