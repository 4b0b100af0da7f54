/*
 * token: signs app (join) tokens. The app secret stays in the gateway; nothing is sent to 100ms.
 */
#include "common.h"

#include <jansson.h>

static const struct gr_field token_request[] = {
    GR_FIELD("roomId", GR_STRING, "ID of the room to join", .flags = GR_FIELD_REQUIRED,
             .range = GR_MIN(1), .binds = "room", .example = "\"66f1c0a2b4d93e5a7c118e01\""),
    GR_FIELD("role", GR_STRING, "Role in the room's template; 100ms checks it when the user joins",
             .flags = GR_FIELD_REQUIRED, .range = GR_MIN(1), .binds = "role",
             .example = "\"guest\""),
    GR_FIELD("userId", GR_STRING, "User id of the application", .example = "\"learner-204\""),
    GR_FIELD("expiresIn", GR_INT, "Lifetime in seconds; the config can limit it",
             .range = GR_RANGE(1, INT32_MAX), .default_doc = "86400"),
    GR_END,
};

static const struct gr_field token_answer[] = {
    GR_FIELD("token", GR_STRING, "Join token for the client SDK", .flags = GR_FIELD_SECRET),
    GR_END,
};

/* POST /token */
static enum gr_err token_create(struct gr_call *call)
{
    const json_t *body = gr_json(call);
    const struct hms_join join = {
        .room_id = hms_text(body, "roomId"),
        .role = hms_text(body, "role"),
        .user_id = hms_text(body, "userId"),
        .lifetime_s = json_integer_value(json_object_get(body, "expiresIn")),
    };
    char *token = NULL;
    enum gr_err r;

    r = hms_join_token(call, HMS_UPSTREAM, &join, &token);
    if (r != GR_OK)
        return r;
    /* A token has no character that JSON escapes. */
    const char *answer = gr_format(call, "{\"token\":\"%s\"}", token);
    if (!answer)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for the token");
    return gr_reply(call, 201, "application/json", gr_str_of(answer));
}

static const struct gr_route routes[] = {
    GR_POST("/token", "token.create", "Sign a join token for one user, room and role",
            .scope = "tokens:write",
            .body = GR_BODY(GR_OBJECT, .fields = token_request, .flags = GR_FIELD_REQUIRED),
            .handle = token_create, .body_max_bytes = 16 * 1024,
            .answers = HMS_ANSWER(201, "The token", .schema = HMS_OBJECT(token_answer),
                                  .example = HMS_JSON({"token" : "eyJhbGciOiJIUzI1NiJ9.e30.sig"})),
            .doc =
                "Every call signs another token with an id (jti) of its own. The gateway does not "
                "look the room and the role up: 100ms refuses a wrong one when the user joins.",
            .source = HMS_SEED " token/token.go"),
    GR_END,
};

static const char *const owns[] = {"/token", NULL};

GR_PLUGIN("token", .version = HMS_VERSION, .summary = "Join tokens for 100ms rooms",
          .licence = HMS_LICENCE, .routes = routes, .owns = owns,
          .upstreams = GR_LIST(HMS_UPSTREAM), .flags = GR_PLUGIN_NO_STORE)
