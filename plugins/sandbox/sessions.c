/*
 * Sessions and their peers. "peers" of a session has all its peers, as the API shows them. ".live"
 * has those that are connected, and ".tracks" all published tracks.
 */
#include "sessions.h"
#include "analytics.h"
#include "webhooks.h"

#define SESSION_MAX_MS (12 * 3600 * INT64_C(1000))

json_t *sb_session_of(struct sandbox *sb, const char *room_id)
{
    return sb_find_text(sb, "sessions", sb_text(sb_all(sb, "active"), room_id));
}

json_t *sb_live_peers(const json_t *session)
{
    return json_object_get(session, ".live");
}

json_t *sb_session_room(struct sandbox *sb, const json_t *session)
{
    return sb_find_text(sb, "rooms", sb_text(session, "room_id"));
}

/* --- followers: see struct sb_follower --- */

static bool is_held(struct sandbox *sb, const char *session_id)
{
    for (const struct sb_follower *each = sb->followers; each->name; each++) {
        if (each->holds && each->holds(sb, session_id))
            return true;
    }
    return false;
}

static void tell_alone(struct sandbox *sb, const char *session_id, bool alone)
{
    for (const struct sb_follower *each = sb->followers; each->name; each++) {
        if (each->alone)
            each->alone(sb, session_id, alone);
    }
}

static void tell_opened(struct sandbox *sb, json_t *session)
{
    for (const struct sb_follower *each = sb->followers; each->name; each++) {
        if (each->opened)
            each->opened(sb, session);
    }
}

static void tell_begun(struct sandbox *sb, json_t *room)
{
    for (const struct sb_follower *each = sb->followers; each->name; each++) {
        if (each->begun)
            each->begun(sb, room);
    }
}

static void tell_closed(struct sandbox *sb, const char *session_id)
{
    for (const struct sb_follower *each = sb->followers; each->name; each++) {
        if (each->closed)
            each->closed(sb, session_id);
    }
}

/* --- opening a session --- */

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
    tell_opened(sb, session);
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

json_t *sb_peer_event_data(struct sandbox *sb, const json_t *session, const json_t *peer)
{
    json_t *data = sb_event_data(sb, sb_session_room(sb, session), session);
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
                sb_text(session, "id"), "room_name", sb_text(sb_session_room(sb, session), "name"));
    json_t *person = peer_data(sb, peer);

    sb_unset(sb, person, "type"); /* in this event, `type` is the type of the track */
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

/* A peer publishes audio and video when its role allows it. */
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
    sb_emit(sb, "peer.join.success", room, sb_peer_event_data(sb, session, peer));
    add_tracks(sb, room, session, peer);
    tell_alone(sb, sb_text(session, "id"), false);
    if (first)
        tell_begun(sb, room);
    return peer;
}

/* Removes a peer. The caller handles the end of the session. */
static void drop_peer(struct sandbox *sb, json_t *session, const char *peer_id, const char *reason)
{
    json_t *peer = json_incref(json_object_get(sb_live_peers(session), peer_id));
    struct sb_name now = sb_stamp(sb->now_ms);
    const char *track_id;
    json_t *track;
    json_t *data;

    if (!peer)
        return;
    data = sb_peer_event_data(sb, session, peer);
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
    sb_emit(sb, "peer.leave.success", sb_session_room(sb, session), data);
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
        /* not `id`, which is freed before the function ends */
        if (!role || sb_is(peer, "role", gr_str_of(role)))
            drop_peer(sb, session, sb_text(peer, "id"), reason);
    }
}

void sb_peer_leave(struct sandbox *sb, json_t *session, const char *peer_id, const char *reason)
{
    drop_peer(sb, session, peer_id, reason);
    sb_session_settle(sb, sb_text(session, "id"));
}

void sb_peers_leave(struct sandbox *sb, json_t *session, const char *role, const char *reason)
{
    drop_all(sb, session, role, reason);
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
    tell_closed(sb, sb_text(session, "id"));
    sb_set(sb, session, "updated_at", sb_pack(sb, "s", now.text));
    data = sb_event_data(sb, sb_session_room(sb, session), session);
    sb_set(sb, data, "session_duration",
           json_integer(sb_service_ms(sb, opened_ms, sb->now_ms) / 1000));
    sb_set(sb, data, "session_stopped_at", sb_pack(sb, "s", now.text));
    sb_emit(sb, "session.close.success", sb_session_room(sb, session), data);
}

void sb_session_settle(struct sandbox *sb, const char *session_id)
{
    json_t *session = sb_find_text(sb, "sessions", session_id);

    if (!sb_true(session, "active") || json_object_size(sb_live_peers(session)))
        return;
    if (is_held(sb, session_id))
        tell_alone(sb, session_id, true);
    else
        sb_session_close(sb, session, "");
}

void sb_session_expire(struct sandbox *sb, const char *id)
{
    json_t *session = sb_find_text(sb, "sessions", id);

    if (session)
        sb_session_close(sb, session, "session reached its maximum duration");
}
