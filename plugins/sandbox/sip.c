/* SIP: trunks, outbound calls, and DTMF tones. */
#include "auth.h"
#include "rooms.h"
#include "routes.h"
#include "sessions.h"

static const char *const trunk_members[] = {"username", "password", "address", "from", NULL};

static const struct gr_field trunk_create_fields[] = {
    GR_FIELD("username", GR_STRING, "User name at the provider", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("password", GR_STRING, "Password at the provider",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET),
    GR_FIELD("address", GR_STRING, "SIP address of the provider", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("from", GR_STRING, "Phone number of the caller", .flags = GR_FIELD_REQUIRED),
    GR_END,
};

static const struct gr_field call_fields[] = {
    GR_FIELD("to", GR_STRING, "Phone number to call", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("room_code", GR_STRING, "Room code, which determines room and role",
             .flags = GR_FIELD_REQUIRED),
    GR_FIELD("trunk_id", GR_STRING, "ID of the trunk to use", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("name", GR_STRING, "Name of the peer"),
    GR_FIELD("user_id", GR_STRING, "User id of the peer"),
    GR_FIELD("video", GR_BOOL, "Whether to offer video"),
    GR_FIELD("headers", GR_MAP, "Additional headers of the INVITE",
             .items = GR_ITEM(GR_STRING, .pattern = HMS_SIP_HEADER)),
    GR_END,
};

static const struct gr_field dtmf_fields[] = {
    GR_FIELD("digits", GR_ARRAY, "Tones to play", .flags = GR_FIELD_REQUIRED, .range = GR_MIN(1),
             .items = GR_ITEM(GR_STRING, .pattern = HMS_SIP_DIGIT)),
    GR_END,
};

static enum gr_err reply_id(struct gr_call *call, struct sandbox *sb, const char *id)
{
    return sb_reply(call, sb, sb_pack(sb, "{ss}", "id", id));
}

static enum gr_err sip_trunk_create(struct gr_call *call, struct sandbox *sb)
{
    struct sb_name id = sb_new_hex(sb, 10);
    json_t *trunk = sb_put(sb, "trunks", id.text, sb_pack(sb, "{ss}", "id", id.text));

    sb_take(sb, trunk, gr_json(call), trunk_members);
    return reply_id(call, sb, id.text);
}

static enum gr_err sip_trunk_update(struct gr_call *call, struct sandbox *sb)
{
    json_t *trunk = sb_find(sb, "trunks", gr_param(call, "trunk_id"));

    if (!trunk)
        return sb_error(call, 404, "trunk not found", NULL);
    sb_take(sb, trunk, gr_json(call), trunk_members);
    return reply_id(call, sb, sb_text(trunk, "id"));
}

/* The callee answers at once; a fault rule can delay the answer or make it 408. */
static enum gr_err sip_call(struct gr_call *call, struct sandbox *sb)
{
    const json_t *body = gr_json(call);
    const json_t *code = sb_find_text(sb, "codes", sb_text(body, "room_code"));
    json_t *room = sb_find_text(sb, "rooms", sb_text(code, "room_id"));
    struct sb_name id = sb_new_hex(sb, 13);
    json_t *person = NULL;
    json_t *record;

    if (!code || !sb_true(code, "enabled") || !room)
        return sb_error(call, 404, "room code not found", NULL);
    if (!sb_find_text(sb, "trunks", sb_text(body, "trunk_id")))
        return sb_error(call, 404, "trunk not found", NULL);
    if (!sb_true(room, "enabled"))
        return sb_error(call, 403, "Room is disabled", NULL);
    person = sb_pack(sb, "{ss ss ss ss}", "role", sb_text(code, "role"), "name",
                     *sb_text(body, "name") ? sb_text(body, "name") : sb_text(body, "to"),
                     "user_id", sb_text(body, "user_id"), "type", "sip");
    record = sb_copy(sb, body);
    sb_set(sb, record, "id", sb_pack(sb, "s", id.text));
    sb_set(sb, record, "peer_id", sb_pack(sb, "s", sb_text(sb_peer_join(sb, room, person), "id")));
    json_decref(person);
    sb_put(sb, "sip_calls", id.text, record);
    sb_trim(sb, "sip_calls", SB_JOURNAL_MAX);
    return reply_id(call, sb, id.text);
}

static enum gr_err sip_dtmf(struct gr_call *call, struct sandbox *sb)
{
    struct sb_name id = sb_new_id(sb);
    const json_t *claims;
    enum gr_err err = sb_bearer_claims(call, "app", &claims);

    if (err != GR_OK)
        return err;
    if (!sb_find_text(sb, "rooms", sb_text(claims, "room_id")))
        return sb_error(call, 404, "Room not found", NULL);
    sb_put(sb, "dtmf", id.text,
           sb_pack(sb, "{ss ss ss so so}", "room_id", sb_text(claims, "room_id"), "role",
                   sb_text(claims, "role"), "user_id", sb_text(claims, "user_id"), "digits",
                   sb_copy(sb, json_object_get(gr_json(call), "digits")), "sent_at",
                   sb_time(sb, sb->now_ms)));
    sb_trim(sb, "dtmf", SB_JOURNAL_MAX);
    return sb_reply(call, sb, sb_pack(sb, "{}"));
}

const struct gr_route sb_sip_routes[] = {
    SB_POST("/sip/outbound/trunks", "sip.trunk_create", "Create a trunk",
            .body = GR_BODY(GR_OBJECT, .fields = trunk_create_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(sip_trunk_create)),
    SB_POST("/sip/outbound/trunks/{trunk_id}", "sip.trunk_update", "Change a trunk",
            .body = GR_BODY(GR_OBJECT, .fields = hms_sip_trunk, .flags = GR_FIELD_REQUIRED),
            SB_RUN(sip_trunk_update)),
    SB_POST("/sip/outbound/call", "sip.call", "Call a phone into a room",
            .body = GR_BODY(GR_OBJECT, .fields = call_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(sip_call)),
    SB_POST("/sip/dtmf", "sip.dtmf", "Play tones; needs an app token",
            .body = GR_BODY(GR_OBJECT, .fields = dtmf_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(sip_dtmf, .token = "app")),
    GR_END,
};
