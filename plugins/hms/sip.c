/*
 * sip: phones in rooms: trunks, calls to phones, and DTMF tones.
 */
#include "common.h"

#include <jansson.h>

static gr_check_fn check_sip_headers;

static const struct gr_field trunk_params[] = {
    HMS_PARAM_ID("trunkId", "ID of the trunk"),
    GR_END,
};

/* Bodies ----------------------------------------------------------------------------------- */

/* 100ms does not document which members are required; a working trunk has all four. */
static const struct gr_field phone_call[] = {
    GR_FIELD("to", GR_STRING, "Phone number, or another name that the trunk knows",
             .flags = GR_FIELD_REQUIRED),
    GR_FIELD("room_code", GR_STRING, "Room code, which determines room and role",
             .flags = GR_FIELD_REQUIRED),
    GR_FIELD("trunk_id", GR_STRING, "Trunk to call through", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("name", GR_STRING, "Name of the phone's peer"),
    GR_FIELD("user_id", GR_STRING, "User id of the phone's peer"),
    GR_FIELD("video", GR_BOOL, "Whether to offer video"),
    GR_FIELD("headers", GR_MAP, "Additional headers of the INVITE; 100ms ignores reserved ones",
             .items = GR_ITEM(GR_STRING, .pattern = HMS_SIP_HEADER), .check = check_sip_headers),
    GR_END,
};

/* The members after digits are for the gateway only: 100ms takes the room from the token. */
static const struct gr_field tones[] = {
    GR_FIELD("digits", GR_ARRAY, "Tones to play, one after the other", .flags = GR_FIELD_REQUIRED,
             .items = GR_ITEM(GR_STRING, .pattern = HMS_SIP_DIGIT), .example = "[\"1\", \"#\"]"),
    GR_FIELD("app_token", GR_STRING, "A join token; without it the gateway signs one",
             .flags = GR_FIELD_STRIP | GR_FIELD_SECRET, .range = GR_MIN(1), .any_of = "room"),
    GR_FIELD("room_id", GR_STRING, "Room to play in", .flags = GR_FIELD_STRIP, .range = GR_MIN(1),
             .any_of = "room", .binds = "room"),
    GR_FIELD("role", GR_STRING, "Role in the token that the gateway signs", .flags = GR_FIELD_STRIP,
             .range = GR_MIN(1), .when = GR_WHEN("room_id", NULL), .binds = "role"),
    GR_FIELD("user_id", GR_STRING, "User in the token that the gateway signs",
             .flags = GR_FIELD_STRIP),
    GR_END,
};

/* Answers ---------------------------------------------------------------------------------- */

static const struct gr_field trunk_id[] = {
    GR_FIELD("id", GR_STRING, "ID of the trunk"),
    GR_END,
};

static const struct gr_field call_id[] = {
    GR_FIELD("id", GR_STRING, "ID of the call"),
    GR_END,
};

/* Routes ----------------------------------------------------------------------------------- */

/* Lifetime in seconds of the token for one request. */
#define TONE_TOKEN_LIFETIME 60

/* Returns a copy of the body without the members for the gateway; NULL without memory. */
static json_t *without_own_members(const json_t *body)
{
    json_t *copy = json_deep_copy(body);

    for (const struct gr_field *row = tones; copy && row->name; row++) {
        if (row->flags & GR_FIELD_STRIP)
            json_object_del(copy, row->name);
    }
    return copy;
}

/* POST /sip/dtmf: 100ms wants a join token here and refuses the management token. */
static enum gr_err play_tones(struct gr_call *call)
{
    const json_t *body = gr_json(call);
    const char *given = hms_text(body, "app_token");
    char *made = NULL;

    if (!given) {
        const struct hms_join join = {
            .room_id = hms_text(body, "room_id"),
            .role = hms_text(body, "role"),
            .user_id = hms_text(body, "user_id"),
            .lifetime_s = TONE_TOKEN_LIFETIME,
        };
        enum gr_err r = hms_join_token(call, gr_route_of(call)->forward->upstream, &join, &made);
        if (r != GR_OK)
            return r;
    }
    return hms_relay(call, without_own_members(body), given ? given : made);
}

static const struct gr_route routes[] = {
    HMS_POST("/sip/outbound/trunks", "sip.trunk_create", "Register an outbound trunk",
             .scope = "sip:write", .flags = GR_ROUTE_IDEMPOTENCY_KEY,
             .body = GR_BODY(GR_OBJECT, .fields = hms_sip_trunk, .flags = GR_FIELD_REQUIRED),
             .answers = HMS_ANSWER(200, "ID of the trunk", .schema = HMS_OBJECT(trunk_id)),
             .source = HMS_GUIDE("Session Initiation Protocol (SIP)/SIP-Outbound")),
    HMS_POST("/sip/outbound/trunks/{trunkId}", "sip.trunk_update", "Change an outbound trunk",
             .scope = "sip:write", .params = trunk_params,
             .body = GR_BODY(GR_OBJECT, .fields = hms_sip_trunk, .flags = GR_FIELD_REQUIRED),
             .answers = HMS_ANSWER(200, "ID of the trunk", .schema = HMS_OBJECT(trunk_id)),
             .doc =
                 "100ms does not document whether absent members keep their value: send all four.",
             .source = HMS_GUIDE("Session Initiation Protocol (SIP)/SIP-Outbound")),
    HMS_POST("/sip/outbound/call", "sip.call", "Call a phone into a room", .scope = "sip:write",
             .flags = GR_ROUTE_IDEMPOTENCY_KEY,
             .body = GR_BODY(GR_OBJECT, .fields = phone_call, .flags = GR_FIELD_REQUIRED),
             .timeout_ms = 150 * 1000,
             .answers = HMS_ANSWER(200, "The phone was answered", .schema = HMS_OBJECT(call_id)),
             .doc =
                 "Answers only after the call was answered or declined; the status is 408 when the "
                 "call is not answered.",
             .source = HMS_GUIDE("Session Initiation Protocol (SIP)/SIP-Outbound")),
    HMS_POST("/sip/dtmf", "sip.dtmf", "Play tones to the phones in a room", .scope = "sip:write",
             .body = GR_BODY(GR_OBJECT, .fields = tones, .flags = GR_FIELD_REQUIRED),
             .handle = play_tones,
             .answers = HMS_ANSWER(200, "The tones are queued", .schema = GR_BODY(GR_OBJECT)),
             .source = HMS_GUIDE("Session Initiation Protocol (SIP)/SIP-DTMF-transmission")),
    GR_END,
};

/* Checks ----------------------------------------------------------------------------------- */

/* Names of SIP headers are tokens (RFC 3261, section 25.1): a line break would add a header. */
static enum gr_err check_sip_headers(struct gr_call *call, const json_t *parent,
                                     const json_t *value)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-.!%*_+`'~";

    json_t *headers = (json_t *)(uintptr_t)value; /* iterators take no const object */

    (void)parent;
    for (void *i = json_object_iter(headers); i; i = json_object_iter_next(headers, i)) {
        const char *name = json_object_iter_key(i);
        if (!name[0] || name[strspn(name, token)])
            return gr_invalid(call, "", GR_PROBLEM_VALUE, "names that are SIP tokens");
    }
    return GR_OK;
}

static const char *const owns[] = {"/sip", NULL};

GR_PLUGIN("sip", .version = HMS_VERSION, .summary = "Phones in 100ms rooms", .licence = HMS_LICENCE,
          .routes = routes, .owns = owns)
