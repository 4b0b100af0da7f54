/*
 * sessions: running and ended sessions of rooms, with their peers.
 */
#include "common.h"

static const struct gr_field session_params[] = {
    HMS_PARAM_ID("sessionId", "ID of the session"),
    GR_END,
};

static const struct gr_field list_query[] = {
    GR_FIELD("active", GR_BOOL, "Only running sessions, or only ended ones", .default_doc = "true"),
    HMS_QUERY_ROOM,
    GR_FIELD("after", GR_TIME, "Only sessions that began at or after this time"),
    GR_FIELD("before", GR_TIME, "Only sessions that began at or before this time"),
    HMS_QUERY_LIMIT,
    HMS_QUERY_START,
    GR_END,
};

static const struct gr_field peer[] = {
    GR_FIELD("id", GR_STRING, "ID of the peer"),
    GR_FIELD("session_id", GR_STRING, "ID of the session"),
    GR_FIELD("name", GR_STRING, "Name shown to the other peers"),
    GR_FIELD("role", GR_STRING, "Role in the room"),
    GR_FIELD("user_id", GR_STRING, "User named in the join token"),
    GR_FIELD("joined_at", GR_TIME, "When the peer joined"),
    GR_FIELD("left_at", GR_TIME, "When the peer left"),
    GR_END,
};

static const struct gr_field session[] = {
    GR_FIELD("id", GR_STRING, "ID of the session"),
    GR_FIELD("room_id", GR_STRING, "Room of the session"),
    GR_FIELD("customer_id", GR_STRING, "ID of the workspace's owner"),
    GR_FIELD("app_id", GR_STRING, "ID of the workspace"),
    GR_FIELD("active", GR_BOOL, "Whether the session is running"),
    GR_FIELD("peers", GR_MAP, "All peers of the session, by id",
             .items = GR_ITEM(GR_OBJECT, .fields = peer)),
    GR_FIELD("created_at", GR_TIME, "When the session began"),
    GR_FIELD("updated_at", GR_TIME, "When the session changed last"),
    GR_END,
};

static const struct gr_route routes[] = {
    HMS_GET("/sessions", "sessions.list", "List the sessions", .scope = "sessions:read",
            .query = list_query,
            .answers = HMS_ANSWER(200, "One page of sessions", .schema = HMS_PAGE("data", session)),
            .doc = "The documentation of 100ms contradicts itself about the default of `active`.",
            .source = HMS_API("Sessions/list-sessions")),
    HMS_GET("/sessions/{sessionId}", "sessions.get", "Fetch one session with all its peers",
            .scope = "sessions:read", .params = session_params,
            .answers = HMS_ANSWER(200, "The session", .schema = HMS_OBJECT(session)),
            .source = HMS_API("Sessions/retrieve-a-session")),
    GR_END,
};

static const char *const owns[] = {"/sessions", NULL};

GR_PLUGIN("sessions", .version = HMS_VERSION, .summary = "Sessions of 100ms rooms",
          .licence = HMS_LICENCE, .routes = routes, .owns = owns)
