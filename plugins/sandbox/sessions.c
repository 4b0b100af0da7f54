/*
 * Sessions and the peers in them. A session keeps every peer it ever had (as the API shows them)
 * and, in ".live", those who are in now; ".tracks" remembers what they published.
 */
#include "sessions.h"

#define SESSION_MAX_MS (12 * 3600 * INT64_C(1000))

json_t *sb_session_of(struct sandbox *sb, const char *room_id)
{
    return sb_find_text(sb, "sessions", sb_text(sb_all(sb, "active"), room_id));
}

json_t *sb_live_peers(const json_t *session)
{
    return json_object_get(session, ".live");
}

static json_t *room_of(struct sandbox *sb, const json_t *session)
{
    return sb_find_text(sb, "rooms", sb_text(session, "room_id"));
}

json_t *sb_session_open(struct sandbox *sb, json_t *room)
{
    const char *room_id = sb_text(room, "id");
    int64_t limit_ms = sb_int(room, "max_duration_seconds") * 1000;
    json_t *session = sb_session_of(sb, room_id);
    struct sb_name now = sb_stamp(sb->now_ms);
    struct sb_name id;

    if (session)
        return session;
    id = sb_new_id(sb);
    session = sb_put(sb, "sessions", id.text,
                     sb_pack(sb, "{ss ss ss ss ss ss sb s{} ss ss s{} s{} sI}", "_id", id.text,
                             "id", id.text, "user_id", "", "room_id", room_id, "customer_id",
                             sb->options->customer_id, "app_id", sb->options->app_id, "active", 1,
                             "peers", "created_at", now.text, "updated_at", now.text, ".live",
                             ".tracks", ".opened_ms", (json_int_t)sb->now_ms));
    sb_put(sb, "active", room_id, sb_pack(sb, "s", id.text));
    sb_schedule(sb, limit_ms ? limit_ms : SESSION_MAX_MS, "session.expire", id.text);
    sb_emit(sb, "session.open.success", room, sb_event_data(sb, room, session));
    sb_polls_begin(sb, session);
    return session;
}

/* --- peers --- */

static json_t *peer_data(struct sandbox *sb, const json_t *peer)
{
    return sb_pack(sb, "{ss ss ss ss ss ss ss}", "peer_id", sb_text(peer, "id"), "user_id",
                   sb_text(peer, "user_id"), "user_name", sb_text(peer, "name"), "user_data",
                   sb_text(peer, "metadata"), "role", sb_text(peer, "role"), "type",
                   *sb_text(peer, ".type") ? sb_text(peer, ".type") : "regular", "joined_at",
                   sb_text(peer, "joined_at"));
}

/* The data of a peer's event, with its place. */
static json_t *peer_event_data(struct sandbox *sb, const json_t *session, const json_t *peer)
{
    json_t *data = sb_event_data(sb, room_of(sb, session), session);
    json_t *person = peer_data(sb, peer);

    sb_fill(sb, data, person);
    json_decref(person);
    return data;
}

static void track_event(struct sandbox *sb, const char *type, const json_t *session,
                        const json_t *peer, const json_t *track)
{
    static const char *const shown[] = {"stream_id", "type", "source", "mute", "started_at", NULL};
    json_t *data =
        sb_pack(sb, "{ss ss ss}", "room_id", sb_text(session, "room_id"), "session_id",
                sb_text(session, "id"), "room_name", sb_text(room_of(sb, session), "name"));
    json_t *person = peer_data(sb, peer);

    sb_unset(sb, person, "type"); /* here it is the type of the track */
    sb_unset(sb, person, "user_data");
    sb_fill(sb, data, person);
    json_decref(person);
    sb_set(sb, data, "track_id", sb_pack(sb, "s", sb_text(track, "id")));
    sb_take(sb, data, track, shown);
    sb_analytics(sb, type, data);
}

static void add_track(struct sandbox *sb, const json_t *session, json_t *peer, const char *type,
                      const char *stream_id)
{
    struct sb_name id = sb_new_uuid(sb);
    json_t *track = sb_pack(sb, "{ss ss sb ss ss so ss}", "id", id.text, "stream_id", stream_id,
                            "mute", 0, "type", type, "source", "regular", "started_at",
                            sb_time(sb, sb->now_ms), "description", "");

    sb_set(sb, json_object_get(peer, "tracks"), id.text, track);
    track_event(sb, "track.add.success", session, peer, track);
}

/* A peer publishes a microphone and a camera where the role allows them. */
static void add_tracks(struct sandbox *sb, const json_t *room, const json_t *session, json_t *peer)
{
    const json_t *template = sb_find_text(sb, "templates", sb_text(room, "template_id"));
    const json_t *role = json_object_get(json_object_get(template, "roles"), sb_text(peer, "role"));
    const json_t *allowed = json_object_get(json_object_get(role, "publishParams"), "allowed");
    struct sb_name stream = sb_new_uuid(sb);
    size_t i;
    const json_t *kind;

    json_array_foreach(allowed, i, kind) {
        const char *type = json_string_value(kind);

        if (type && (strcmp(type, "audio") == 0 || strcmp(type, "video") == 0))
            add_track(sb, session, peer, type, stream.text);
    }
    sb_set(sb, json_object_get(session, ".tracks"), sb_text(peer, "id"),
           sb_copy(sb, json_object_get(peer, "tracks")));
}

json_t *sb_peer_join(struct sandbox *sb, json_t *room, const json_t *body)
{
    bool first = !sb_session_of(sb, sb_text(room, "id"));
    json_t *session = sb_session_open(sb, room);
    struct sb_name now = sb_stamp(sb->now_ms);
    struct sb_name fresh = sb_new_uuid(sb);
    const char *id = *sb_text(body, "peer_id") ? sb_text(body, "peer_id") : fresh.text;
    json_t *peer =
        sb_pack(sb, "{ss ss ss ss ss ss s{} ss sI}", "id", id, "name", sb_text(body, "name"),
                "user_id", sb_text(body, "user_id"), "metadata", sb_text(body, "metadata"), "role",
                sb_text(body, "role"), "joined_at", now.text, "tracks", ".type",
                sb_text(body, "type"), ".joined_ms", (json_int_t)sb->now_ms);

    sb_set(sb, json_object_get(session, "peers"), id,
           sb_pack(sb, "{ss ss ss ss ss ss ss}", "id", id, "session_id", sb_text(session, "id"),
                   "name", sb_text(body, "name"), "role", sb_text(body, "role"), "user_id",
                   sb_text(body, "user_id"), "user", sb_text(body, "user_id"), "joined_at",
                   now.text));
    sb_set(sb, sb_live_peers(session), id, peer);
    sb_set(sb, session, "updated_at", sb_pack(sb, "s", now.text));
    sb_emit(sb, "peer.join.success", room, peer_event_data(sb, session, peer));
    add_tracks(sb, room, session, peer);
    sb_jobs_alone(sb, sb_text(session, "id"), false);
    if (first)
        sb_jobs_begin(sb, room);
    return peer;
}

/* Takes a peer out, without a look at what is left of the session. */
static void drop_peer(struct sandbox *sb, json_t *session, const char *peer_id, const char *reason)
{
    json_t *peer = json_incref(json_object_get(sb_live_peers(session), peer_id));
    struct sb_name now = sb_stamp(sb->now_ms);
    const char *track_id;
    json_t *track;
    json_t *data;

    if (!peer)
        return;
    data = peer_event_data(sb, session, peer);
    sb_set(sb, data, "left_at", sb_pack(sb, "s", now.text));
    sb_set(sb, data, "duration",
           json_integer(sb_service_ms(sb, sb_int(peer, ".joined_ms"), sb->now_ms) / 1000));
    sb_set(sb, data, "reason", sb_pack(sb, "s", *reason ? "peer kicked" : "client request"));
    sb_set(sb, data, "message", sb_pack(sb, "s", reason));
    json_object_foreach(json_object_get(peer, "tracks"), track_id, track)
        track_event(sb, "track.remove.success", session, peer, track);
    sb_set(sb, json_object_get(json_object_get(session, "peers"), peer_id), "left_at",
           sb_pack(sb, "s", now.text));
    sb_set(sb, session, "updated_at", sb_pack(sb, "s", now.text));
    sb_emit(sb, "peer.leave.success", room_of(sb, session), data);
    sb_unset(sb, sb_live_peers(session), peer_id);
    json_decref(peer);
}

static void drop_all(struct sandbox *sb, json_t *session, const char *role, const char *reason)
{
    json_t *live = sb_live_peers(session);
    const char *id;
    json_t *peer;
    void *next;

    json_object_foreach_safe(live, next, id, peer) {
        /* not `id`, which goes before the peer does */
        if (!role || sb_is(peer, "role", gr_str_of(role)))
            drop_peer(sb, session, sb_text(peer, "id"), reason);
    }
}

void sb_peer_leave(struct sandbox *sb, json_t *session, const char *peer_id, const char *reason)
{
    drop_peer(sb, session, peer_id, reason);
    sb_session_settle(sb, sb_text(session, "id"));
}

/* --- the end of a session --- */

void sb_session_close(struct sandbox *sb, json_t *session, const char *reason)
{
    struct sb_name now = sb_stamp(sb->now_ms);
    int64_t opened_ms = sb_int(session, ".opened_ms");
    json_t *data;

    if (!sb_true(session, "active"))
        return;
    sb_set(sb, session, "active", json_false());
    sb_set(sb, session, "ended_at", sb_pack(sb, "s", now.text));
    sb_drop(sb, "active", sb_text(session, "room_id"));
    sb_cancel(sb, "session.expire", sb_text(session, "id"));
    drop_all(sb, session, NULL, reason);
    sb_jobs_stop(sb, sb_text(session, "id"));
    sb_polls_end(sb, sb_text(session, "id"));
    sb_set(sb, session, "updated_at", sb_pack(sb, "s", now.text));
    data = sb_event_data(sb, room_of(sb, session), session);
    sb_set(sb, data, "session_duration",
           json_integer(sb_service_ms(sb, opened_ms, sb->now_ms) / 1000));
    sb_set(sb, data, "session_stopped_at", sb_pack(sb, "s", now.text));
    sb_emit(sb, "session.close.success", room_of(sb, session), data);
}

void sb_session_settle(struct sandbox *sb, const char *session_id)
{
    json_t *session = sb_find_text(sb, "sessions", session_id);

    if (!sb_true(session, "active") || json_object_size(sb_live_peers(session)))
        return;
    if (sb_jobs_live(sb, session_id))
        sb_jobs_alone(sb, session_id, true);
    else
        sb_session_close(sb, session, "");
}

void sb_session_expire(struct sandbox *sb, const char *id)
{
    json_t *session = sb_find_text(sb, "sessions", id);

    if (session)
        sb_session_close(sb, session, "session reached its longest duration");
}

/* --- routes: sessions --- */

const struct gr_field sb_sessions_query[] = {
    GR_FIELD("active", GR_BOOL, "Running or ended sessions"),
    GR_FIELD("room_id", GR_STRING, "Sessions of a room"),
    GR_FIELD("after", GR_TIME, "Started at or after"),
    GR_FIELD("before", GR_TIME, "Started at or before"),
    SB_PAGE_FIELDS(10),
    GR_END,
};

SB_HANDLER(sb_sessions_list)
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

SB_HANDLER(sb_sessions_get)
{
    const json_t *session = sb_find(sb, "sessions", gr_param(call, "session_id"));

    return session ? sb_reply_row(call, sb, session)
                   : sb_error(call, 404, "session not found", NULL);
}

/* --- routes: active rooms --- */

/* The running session of the room in the path. */
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

SB_HANDLER(sb_active_get)
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
                            sb_text(room_of(sb, session), "name"), "customer_id",
                            sb->options->customer_id, "session", "id", sb_text(session, "id"),
                            "created_at", sb_text(session, "created_at"), "peers", ids));
}

const struct gr_field sb_peers_query[] = {
    GR_FIELD("user_id", GR_STRING, "User id of the app token"),
    GR_FIELD("role", GR_STRING, "Role"),
    GR_END,
};

SB_HANDLER(sb_active_peers)
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

SB_HANDLER(sb_active_peer)
{
    json_t *session = NULL;
    json_t *peer;
    enum gr_err err = peer_of(call, sb, &session, &peer);

    return err == GR_OK ? sb_reply_row(call, sb, peer) : err;
}

const struct gr_field sb_peer_update_fields[] = {
    GR_FIELD("name", GR_STRING, "Shown name"),
    GR_FIELD("role", GR_STRING, "Another role"),
    GR_FIELD("metadata", GR_STRING, "Free text of the application"),
    GR_END,
};

static void note_role_change(struct sandbox *sb, const json_t *session, const json_t *peer,
                             const char *role)
{
    json_t *data;

    if (!*role || sb_is(peer, "role", gr_str_of(role)))
        return;
    data = peer_event_data(sb, session, peer);
    sb_unset(sb, data, "type");
    sb_set(sb, data, "previous_role", sb_pack(sb, "s", sb_text(peer, "role")));
    sb_set(sb, data, "role", sb_pack(sb, "s", role));
    sb_set(sb, data, "role_changed_at", sb_time(sb, sb->now_ms));
    sb_set(sb, data, "role_change_requested_by", sb_pack(sb, "s", "api"));
    sb_emit(sb, "role.change.success", room_of(sb, session), data);
}

SB_HANDLER(sb_active_peer_update)
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
    if (*role && !sb_template_has_role(sb, sb_text(room_of(sb, session), "template_id"), role))
        return sb_error(call, 400, "Invalid body param: role", "role: no such role");
    note_role_change(sb, session, peer, role);
    sb_take(sb, peer, body, changed);
    sb_take(sb, json_object_get(json_object_get(session, "peers"), sb_text(peer, "id")), body,
            kept);
    return sb_reply_row(call, sb, peer);
}

const struct gr_field sb_message_fields[] = {
    GR_FIELD("message", GR_STRING, "Text", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("peer_id", GR_STRING, "To one peer; wins over the role"),
    GR_FIELD("role", GR_STRING, "To the peers of a role"),
    GR_FIELD("type", GR_STRING, "Label of the application"),
    GR_END,
};

const struct gr_field sb_remove_fields[] = {
    GR_FIELD("peer_id", GR_STRING, "One peer; wins over the role", .any_of = "whom"),
    GR_FIELD("role", GR_STRING, "The peers of a role", .any_of = "whom"),
    GR_FIELD("reason", GR_STRING, "Shown to the peers"),
    GR_END,
};

const struct gr_field sb_end_fields[] = {
    GR_FIELD("reason", GR_STRING, "Shown to the peers"),
    GR_FIELD("lock", GR_BOOL, "Disable the room as well", .default_doc = "false"),
    GR_END,
};

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

SB_HANDLER(sb_active_message)
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

SB_HANDLER(sb_active_remove)
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
        drop_peer(sb, session, peer_id, reason);
    else
        drop_all(sb, session, sb_text(body, "role"), reason);
    sb_session_settle(sb, sb_text(session, "id"));
    return reply_message(call, sb, "peer remove request submitted");
}

/* Who ended it is empty here: the API did, and not a peer. */
static void note_end(struct sandbox *sb, const json_t *session, const char *reason, bool lock)
{
    static const char *const peer_members[] = {"peer_id", "role", "user_id", "user_name"};
    json_t *data = sb_event_data(sb, room_of(sb, session), session);

    for (size_t i = 0; i < sizeof(peer_members) / sizeof(peer_members[0]); i++)
        sb_set(sb, data, peer_members[i], json_string(""));
    sb_set(sb, data, "lock_room", json_boolean(lock));
    sb_set(sb, data, "reason", sb_pack(sb, "s", reason));
    sb_set(sb, data, "source", sb_pack(sb, "s", "api"));
    sb_emit(sb, "room.end.success", room_of(sb, session), data);
}

SB_HANDLER(sb_active_end)
{
    const json_t *body = gr_json(call);
    bool lock = sb_true(body, "lock");
    json_t *session = NULL;
    json_t *room = NULL;
    enum gr_err err = session_of(call, sb, "session not found", &session);

    if (err != GR_OK)
        return err;
    room = room_of(sb, session);
    if (lock)
        sb_set(sb, room, "enabled", json_false());
    note_end(sb, session, sb_text(body, "reason"), lock);
    sb_session_close(sb, session,
                     *sb_text(body, "reason") ? sb_text(body, "reason") : "room ended");
    return reply_message(call, sb, "session is ending");
}
