/* The routes of sessions and of active rooms. */
#include "routes.h"
#include "sessions.h"
#include "templates.h"
#include "webhooks.h"

/* --- sessions --- */

static const struct gr_field sessions_query[] = {
    GR_FIELD("active", GR_BOOL, "Only running sessions, or only ended ones"),
    GR_FIELD("room_id", GR_STRING, "Only sessions of this room"),
    GR_FIELD("after", GR_TIME, "Only sessions that began at or after this time"),
    GR_FIELD("before", GR_TIME, "Only sessions that began at or before this time"),
    SB_PAGE_FIELDS(10),
    GR_END,
};

static enum gr_err sessions_list(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_filter filters[] = {
        {"active", "active", SB_BOOLEAN, "true"},
        {"room_id", "room_id", SB_EQUAL, NULL},
        {"after", "created_at", SB_SINCE, NULL},
        {"before", "created_at", SB_UNTIL, NULL},
        {0},
    };
    static const struct sb_list list = {
        .collection = "sessions", .items = "data", .filters = filters, .limit_default = 10};

    return sb_reply_list(call, sb, &list);
}

static enum gr_err sessions_get(struct gr_call *call, struct sandbox *sb)
{
    const json_t *session = sb_find(sb, "sessions", gr_param(call, "session_id"));

    return session ? sb_reply_row(call, sb, session)
                   : sb_error(call, 404, "session not found", NULL);
}

/* --- active rooms --- */

/* Finds the running session of the room in the path. */
static enum gr_err session_of(struct gr_call *call, struct sandbox *sb, const char *missing,
                              json_t **ret_session)
{
    json_t *session = sb_session_of(sb, gr_param(call, "room_id").ptr);

    if (!session)
        return sb_error(call, 404, missing, "the room has no running session");
    *ret_session = session;
    return GR_OK;
}

static enum gr_err peer_of(struct gr_call *call, struct sandbox *sb, json_t **ret_session,
                           json_t **ret_peer)
{
    enum gr_err err = session_of(call, sb, "not found", ret_session);

    if (err != GR_OK)
        return err;
    *ret_peer = json_object_get(sb_live_peers(*ret_session), gr_param(call, "peer_id").ptr);
    return *ret_peer ? GR_OK : sb_error(call, 404, "peer not found", NULL);
}

static enum gr_err active_get(struct gr_call *call, struct sandbox *sb)
{
    json_t *ids;
    json_t *session = NULL;
    const char *id;
    json_t *peer;
    enum gr_err err = session_of(call, sb, "not found", &session);

    if (err != GR_OK)
        return err;
    ids = sb_pack(sb, "[]");
    json_object_foreach(sb_live_peers(session), id, peer)
        sb_append(sb, ids, sb_pack(sb, "s", id));
    return sb_reply(call, sb,
                    sb_pack(sb, "{ss ss ss s{ss ss so}}", "id", sb_text(session, "room_id"), "name",
                            sb_text(sb_session_room(sb, session), "name"), "customer_id",
                            sb->options->customer_id, "session", "id", sb_text(session, "id"),
                            "created_at", sb_text(session, "created_at"), "peers", ids));
}

static const struct gr_field peers_query[] = {
    GR_FIELD("user_id", GR_STRING, "Only peers with this user in their app token"),
    GR_FIELD("role", GR_STRING, "Only peers of this role"),
    GR_END,
};

static enum gr_err active_peers(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_filter filters[] = {
        {"user_id", "user_id", SB_EQUAL, NULL},
        {"role", "role", SB_EQUAL, NULL},
        {0},
    };
    json_t *peers;
    json_t *session = NULL;
    const char *id;
    json_t *peer;
    enum gr_err err = session_of(call, sb, "not found", &session);

    if (err != GR_OK)
        return err;
    peers = sb_pack(sb, "{}");
    json_object_foreach(sb_live_peers(session), id, peer) {
        json_t *view;

        if (!sb_passes(call, sb, filters, peer))
            continue;
        view = sb_view(sb, peer);
        sb_unset(sb, view, "tracks");
        sb_set(sb, peers, id, view);
    }
    return sb_reply(call, sb, sb_pack(sb, "{so}", "peers", peers));
}

static enum gr_err active_peer(struct gr_call *call, struct sandbox *sb)
{
    json_t *session = NULL;
    json_t *peer;
    enum gr_err err = peer_of(call, sb, &session, &peer);

    return err == GR_OK ? sb_reply_row(call, sb, peer) : err;
}

static const struct gr_field peer_update_fields[] = {
    GR_FIELD("name", GR_STRING, "Name shown to the other peers"),
    GR_FIELD("role", GR_STRING, "New role"),
    GR_FIELD("metadata", GR_STRING, "Free text of the application"),
    GR_END,
};

static void note_role_change(struct sandbox *sb, const json_t *session, const json_t *peer,
                             const char *role)
{
    json_t *data;

    if (!*role || sb_is(peer, "role", gr_str_of(role)))
        return;
    data = sb_peer_event_data(sb, session, peer);
    sb_unset(sb, data, "type");
    sb_set(sb, data, "previous_role", sb_pack(sb, "s", sb_text(peer, "role")));
    sb_set(sb, data, "role", sb_pack(sb, "s", role));
    sb_set(sb, data, "role_changed_at", sb_time(sb, sb->now_ms));
    sb_set(sb, data, "role_change_requested_by", sb_pack(sb, "s", "api"));
    sb_emit(sb, "role.change.success", sb_session_room(sb, session), data);
}

static enum gr_err active_peer_update(struct gr_call *call, struct sandbox *sb)
{
    static const char *const changed[] = {"name", "role", "metadata", NULL};
    static const char *const kept[] = {"name", "role", NULL};
    const json_t *body = gr_json(call);
    const char *role = sb_text(body, "role");
    json_t *session = NULL;
    json_t *peer;
    enum gr_err err = peer_of(call, sb, &session, &peer);

    if (err != GR_OK)
        return err;
    if (*role &&
        !sb_template_has_role(sb, sb_text(sb_session_room(sb, session), "template_id"), role))
        return sb_error(call, 400, "Invalid body param: role", "role: no such role");
    note_role_change(sb, session, peer, role);
    sb_take(sb, peer, body, changed);
    sb_take(sb, json_object_get(json_object_get(session, "peers"), sb_text(peer, "id")), body,
            kept);
    return sb_reply_row(call, sb, peer);
}

static enum gr_err check_addressee(struct gr_call *call, const json_t *session)
{
    const char *peer_id = sb_text(gr_json(call), "peer_id");

    if (*peer_id && !json_object_get(sb_live_peers(session), peer_id))
        return sb_error(call, 404, "peer not found", NULL);
    return GR_OK;
}

static enum gr_err reply_message(struct gr_call *call, struct sandbox *sb, const char *message)
{
    return sb_reply(call, sb, sb_pack(sb, "{ss}", "message", message));
}

static enum gr_err active_message(struct gr_call *call, struct sandbox *sb)
{
    struct sb_name id = sb_new_id(sb);
    json_t *message;
    json_t *session = NULL;
    enum gr_err err = session_of(call, sb, "not found", &session);

    if (err == GR_OK)
        err = check_addressee(call, session);
    if (err != GR_OK)
        return err;
    message = sb_copy(sb, gr_json(call));
    sb_set(sb, message, "session_id", sb_pack(sb, "s", sb_text(session, "id")));
    sb_set(sb, message, "sent_at", sb_time(sb, sb->now_ms));
    sb_put(sb, "messages", id.text, message);
    sb_trim(sb, "messages", SB_JOURNAL_MAX);
    return reply_message(call, sb, "message sent");
}

static enum gr_err active_remove(struct gr_call *call, struct sandbox *sb)
{
    const json_t *body = gr_json(call);
    const char *peer_id = sb_text(body, "peer_id");
    const char *reason = *sb_text(body, "reason") ? sb_text(body, "reason") : "removed";
    json_t *session = NULL;
    enum gr_err err = session_of(call, sb, "not found", &session);

    if (err == GR_OK)
        err = check_addressee(call, session);
    if (err != GR_OK)
        return err;
    if (*peer_id)
        sb_peer_leave(sb, session, peer_id, reason);
    else
        sb_peers_leave(sb, session, sb_text(body, "role"), reason);
    return reply_message(call, sb, "peer remove request submitted");
}

/* The members about a peer are empty, because the API ended the session. */
static void note_end(struct sandbox *sb, const json_t *session, const char *reason, bool lock)
{
    static const char *const peer_members[] = {"peer_id", "role", "user_id", "user_name"};
    json_t *data = sb_event_data(sb, sb_session_room(sb, session), session);

    for (size_t i = 0; i < sizeof(peer_members) / sizeof(peer_members[0]); i++)
        sb_set(sb, data, peer_members[i], json_string(""));
    sb_set(sb, data, "lock_room", json_boolean(lock));
    sb_set(sb, data, "reason", sb_pack(sb, "s", reason));
    sb_set(sb, data, "source", sb_pack(sb, "s", "api"));
    sb_emit(sb, "room.end.success", sb_session_room(sb, session), data);
}

static enum gr_err active_end(struct gr_call *call, struct sandbox *sb)
{
    const json_t *body = gr_json(call);
    bool lock = sb_true(body, "lock");
    json_t *session = NULL;
    json_t *room = NULL;
    enum gr_err err = session_of(call, sb, "session not found", &session);

    if (err != GR_OK)
        return err;
    room = sb_session_room(sb, session);
    if (lock)
        sb_set(sb, room, "enabled", json_false());
    note_end(sb, session, sb_text(body, "reason"), lock);
    sb_session_close(sb, session,
                     *sb_text(body, "reason") ? sb_text(body, "reason") : "room ended");
    return reply_message(call, sb, "session is ending");
}

const struct gr_route sb_session_routes[] = {
    SB_GET("/sessions", "sessions.list", "List sessions", .query = sessions_query,
           SB_RUN(sessions_list)),
    SB_GET("/sessions/{session_id}", "sessions.get", "Fetch a session", SB_RUN(sessions_get)),
    SB_GET("/active-rooms/{room_id}", "active.get", "Fetch the running session of a room",
           SB_RUN(active_get)),
    SB_GET("/active-rooms/{room_id}/peers", "active.peers", "List the connected peers",
           .query = peers_query, SB_RUN(active_peers)),
    SB_GET("/active-rooms/{room_id}/peers/{peer_id}", "active.peer", "Fetch a peer with its tracks",
           SB_RUN(active_peer)),
    SB_POST("/active-rooms/{room_id}/peers/{peer_id}", "active.peer_update", "Change a peer",
            .body = GR_BODY(GR_OBJECT, .fields = peer_update_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(active_peer_update)),
    SB_POST("/active-rooms/{room_id}/send-message", "active.message", "Send a message to peers",
            .body = GR_BODY(GR_OBJECT, .fields = hms_room_message, .flags = GR_FIELD_REQUIRED),
            SB_RUN(active_message)),
    SB_POST("/active-rooms/{room_id}/remove-peers", "active.remove", "Remove peers",
            .body = GR_BODY(GR_OBJECT, .fields = hms_room_removal, .flags = GR_FIELD_REQUIRED),
            SB_RUN(active_remove)),
    SB_POST("/active-rooms/{room_id}/end-room", "active.end", "End the session of a room",
            .body = GR_BODY(GR_OBJECT, .fields = hms_room_end), SB_RUN(active_end)),
    GR_END,
};
