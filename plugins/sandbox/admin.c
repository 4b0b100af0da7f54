/* Routes for tests: reset, seed, state, clock, and peers that join and leave. */
#include "analytics.h"
#include "auth.h"
#include "rooms.h"
#include "routes.h"
#include "seed.h"
#include "sessions.h"
#include "webhooks.h"

static const struct gr_field clock_fields[] = {
    GR_FIELD("advance_ms", GR_INT, "Milliseconds to advance the clock", .flags = GR_FIELD_REQUIRED,
             .range = GR_RANGE(0, 3.2e12)),
    GR_END,
};

static const struct gr_field join_fields[] = {
    GR_FIELD("token", GR_STRING, "App token, which determines room, role and user", .any_of = "who",
             .flags = GR_FIELD_SECRET),
    GR_FIELD("role", GR_STRING, "Role of the peer", .any_of = "who"),
    GR_FIELD("name", GR_STRING, "Name shown to the other peers"),
    GR_FIELD("user_id", GR_STRING, "User id of the application"),
    GR_FIELD("metadata", GR_STRING, "Free text of the application"),
    GR_FIELD("peer_id", GR_STRING, "ID of the peer", .default_doc = "a random one"),
    GR_FIELD("type", GR_STRING, "How the peer joins", .values = GR_LIST("regular", "sip")),
    GR_END,
};

static enum gr_err admin_reset(struct gr_call *call, struct sandbox *sb)
{
    if (!sb_reset(sb))
        return gr_fail(call, GR_ERR_NO_MEMORY, "out of memory");
    return GR_OK;
}

static enum gr_err admin_seed(struct gr_call *call, struct sandbox *sb)
{
    char problem[SB_SEED_PROBLEM_MAX];

    if (!sb_seed(sb, gr_json(call), problem))
        return sb_error(call, 400, "Invalid seed", problem);
    return GR_OK;
}

static enum gr_err admin_state(struct gr_call *call, struct sandbox *sb)
{
    return sb_reply(call, sb, sb_copy(sb, sb->root));
}

static enum gr_err admin_stats(struct gr_call *call, struct sandbox *sb)
{
    return sb_reply(call, sb,
                    sb_pack(sb, "{so so sI}", "calls", sb_copy(sb, sb_all(sb, "calls")), "now",
                            sb_time(sb, sb->now_ms), "speed", (json_int_t)sb->options->speed));
}

static enum gr_err admin_clock(struct gr_call *call, struct sandbox *sb)
{
    sb->offset_ms += sb_int(gr_json(call), "advance_ms");
    sb_set(sb, json_object_get(sb->root, "meta"), "offset_ms", json_integer(sb->offset_ms));
    sb_tick(sb);
    return sb_reply(call, sb, sb_pack(sb, "{so}", "now", sb_time(sb, sb->now_ms)));
}

/* --- peers --- */

static size_t count_role(const json_t *session, const char *role)
{
    const char *id;
    json_t *peer;
    size_t count = 0;

    json_object_foreach(sb_live_peers(session), id, peer)
        count += sb_is(peer, "role", gr_str_of(role));
    return count;
}

/* Returns why the role cannot join the room; NULL when it can. */
static const char *refusal(struct sandbox *sb, const json_t *room, const char *role_name,
                           int *ret_status)
{
    const json_t *session = sb_session_of(sb, sb_text(room, "id"));
    const json_t *template = sb_find_text(sb, "templates", sb_text(room, "template_id"));
    const json_t *role = json_object_get(json_object_get(template, "roles"), role_name);
    int64_t most = sb_int(role, "maxPeerCount");
    int64_t size = sb_int(room, "size");

    *ret_status = 403;
    if (!sb_true(room, "enabled"))
        return "Room is disabled";
    if (most < 0 || (most > 0 && (int64_t)count_role(session, role_name) >= most))
        return "Role has its maximum number of peers";
    if (size > 0 && (int64_t)json_object_size(sb_live_peers(session)) >= size)
        return "Room is full";
    *ret_status = 404;
    return role ? NULL : "Role not found";
}

/* Makes the description of the peer from the body or the token in it. New reference. */
static enum gr_err person_of(struct gr_call *call, struct sandbox *sb, const json_t *room,
                             json_t **ret_person)
{
    static const char *const claimed[] = {"role", "user_id", NULL};
    const json_t *body = gr_json(call);
    gr_str token = gr_str_of(sb_text(body, "token"));
    const json_t *claims = NULL;
    enum gr_err err = GR_OK;

    if (token.len)
        err = sb_check_token(call, token, "app", &claims);
    if (err != GR_OK)
        return err;
    if (claims && !sb_is(claims, "room_id", gr_str_of(sb_text(room, "id"))))
        return sb_error(call, 403, "token is for another room", NULL);
    *ret_person = sb_copy(sb, body);
    sb_unset(sb, *ret_person, "token");
    if (claims)
        sb_take(sb, *ret_person, claims, claimed);
    return GR_OK;
}

static enum gr_err refuse(struct gr_call *call, struct sandbox *sb, const json_t *room,
                          const json_t *person, int status, const char *why)
{
    const json_t *session = sb_session_of(sb, sb_text(room, "id"));
    struct sb_name fresh = sb_new_uuid(sb);
    const char *peer_id = *sb_text(person, "peer_id") ? sb_text(person, "peer_id") : fresh.text;
    json_t *seen = sb_pack(sb, "{ss ss ss ss ss}", "peer_id", peer_id, "user_id",
                           sb_text(person, "user_id"), "user_name", sb_text(person, "name"), "role",
                           sb_text(person, "role"), "error_message", why);
    json_t *event = sb_event_data(sb, room, NULL);
    json_t *failure = sb_event_data(sb, room, session);

    sb_fill(sb, event, seen);
    sb_set(sb, event, "joined_at", json_string(SB_NO_TIME));
    sb_set(sb, event, "type",
           json_string(*sb_text(person, "type") ? sb_text(person, "type") : "regular"));
    sb_set(sb, event, "user_data", json_string(sb_text(person, "metadata")));
    sb_emit(sb, "peer.join.failure", room, event);
    sb_fill(sb, failure, seen);
    json_decref(seen);
    sb_unset(sb, failure, "session_started_at");
    sb_set(sb, failure, "account_id", sb_pack(sb, "s", sb->options->customer_id));
    sb_set(sb, failure, "error_code", json_integer(status));
    sb_set(sb, failure, "error_description", sb_pack(sb, "s", why));
    sb_set(sb, failure, "error_name", json_string("ServerErrors"));
    sb_set(sb, failure, "action", json_string("JOIN"));
    sb_set(sb, failure, "is_terminal", json_false());
    sb_analytics(sb, "client.join.failed", failure);
    return sb_error(call, status, why, NULL);
}

static enum gr_err admin_join(struct gr_call *call, struct sandbox *sb)
{
    json_t *room = NULL;
    json_t *person = NULL;
    const char *why;
    int status;
    enum gr_err err = sb_room_of(call, sb, false, &room);

    if (err == GR_OK)
        err = person_of(call, sb, room, &person);
    if (err != GR_OK)
        return err;
    why = refusal(sb, room, sb_text(person, "role"), &status);
    if (why)
        err = refuse(call, sb, room, person, status, why);
    else
        err = sb_reply_row(call, sb, sb_peer_join(sb, room, person));
    json_decref(person);
    return err;
}

static enum gr_err admin_leave(struct gr_call *call, struct sandbox *sb)
{
    json_t *session = sb_session_of(sb, gr_param(call, "room_id").ptr);
    const char *peer_id = gr_param(call, "peer_id").ptr;

    if (!json_object_get(sb_live_peers(session), peer_id))
        return sb_error(call, 404, "peer not found", NULL);
    sb_peer_leave(sb, session, peer_id, "");
    return GR_OK;
}

const struct gr_route sb_admin_routes[] = {
    SB_ADMIN(POST, "/reset", "admin.reset", "Delete everything", SB_RUN_ADMIN(admin_reset)),
    SB_ADMIN(POST, "/seed", "admin.seed", "Add templates, rooms, codes, peers and polls",
             .body = GR_BODY(GR_OBJECT, .flags = GR_FIELD_REQUIRED), SB_RUN_ADMIN(admin_seed)),
    SB_ADMIN(GET, "/state", "admin.state", "Fetch the whole state", SB_RUN_ADMIN(admin_state)),
    SB_ADMIN(GET, "/stats", "admin.stats", "Count the calls of each route",
             SB_RUN_ADMIN(admin_stats)),
    SB_ADMIN(POST, "/clock", "admin.clock", "Advance the clock",
             .body = GR_BODY(GR_OBJECT, .fields = clock_fields, .flags = GR_FIELD_REQUIRED),
             SB_RUN_ADMIN(admin_clock)),
    SB_ADMIN(POST, "/rooms/{room_id}/peers", "admin.join", "Let a peer join",
             .body = GR_BODY(GR_OBJECT, .fields = join_fields, .flags = GR_FIELD_REQUIRED),
             SB_RUN_ADMIN(admin_join)),
    SB_ADMIN(DELETE, "/rooms/{room_id}/peers/{peer_id}", "admin.leave", "Let a peer leave",
             SB_RUN_ADMIN(admin_leave)),
    GR_END,
};
