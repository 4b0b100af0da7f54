/*
 * room_codes: short codes for one role in one room, and their exchange for a join token.
 */
#include "common.h"

#include <jansson.h>

static const struct gr_field role_params[] = {
    HMS_PARAM_ROOM,
    HMS_PARAM_ROLE("role", .binds = "role"),
    GR_END,
};

static const struct gr_field code_params[] = {
    GR_FIELD("code", GR_STRING, "The room code", .pattern = HMS_ROOM_CODE),
    GR_END,
};

static const struct gr_field list_query[] = {
    GR_FIELD("role", GR_STRING, "Only codes of this role", .binds = "role"),
    GR_FIELD("enabled", GR_BOOL, "Only enabled codes, or only disabled ones"),
    HMS_QUERY_LIMIT_OPEN,
    HMS_QUERY_START,
    GR_END,
};

static const struct gr_field change[] = {
    GR_FIELD("code", GR_STRING, "The room code", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("enabled", GR_BOOL, "Whether the code is enabled from now on",
             .flags = GR_FIELD_REQUIRED),
    GR_END,
};

static const struct gr_field exchange[] = {
    GR_FIELD("user_id", GR_STRING, "User id of the application"),
    GR_END,
};

static const struct gr_field code[] = {
    GR_FIELD("code", GR_STRING, "The code, for example abc-defg-hij"),
    GR_FIELD("room_id", GR_STRING, "Room that the code admits to"),
    GR_FIELD("role", GR_STRING, "Role that the code gives"),
    GR_FIELD("enabled", GR_BOOL, "Whether the code is enabled"),
    GR_FIELD("created_at", GR_TIME, "When the code was created"),
    GR_FIELD("updated_at", GR_TIME, "When the code was changed last"),
    GR_END,
};

static const struct gr_field codes[] = {
    GR_FIELD("data", GR_ARRAY, "One code or more", .items = GR_ITEM(GR_OBJECT, .fields = code)),
    GR_END,
};

static const struct gr_field token[] = {
    GR_FIELD("token", GR_STRING, "Join token for the client SDK", .flags = GR_FIELD_SECRET),
    GR_END,
};

#define CODE_EXAMPLE                                                                               \
    HMS_JSON({                                                                                     \
        "code" : "qzt-mwvk-prd",                                                                   \
        "room_id" : "66f1c0a2b4d93e5a7c118e01",                                                    \
        "role" : "teacher",                                                                        \
        "enabled" : true                                                                           \
    })

/*
 * POST /room-codes/code/{code}: the body has the code from the path, and user_id from the client's
 * body. The upstream "auth" has no credential because the code itself authorises the exchange.
 */
static enum gr_err exchange_code(struct gr_call *call)
{
    const json_t *user_id = json_object_get(gr_json(call), "user_id");

    return hms_relay(call,
                     json_pack("{s:s, s:s*}", "code", gr_param(call, "code").ptr, "user_id",
                               json_string_value(user_id)),
                     NULL);
}

static const struct gr_route routes[] = {
    GR_GET("/room-codes/{roomId}", "room_codes.list", "List the codes of a room",
           .alias = "/room-codes/room/{roomId}", .scope = "room_codes:read",
           .params = hms_room_params, .query = list_query,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/room-codes/room/{roomId}"),
           .answers = HMS_ANSWER(200, "One page of codes", .schema = HMS_PAGE("data", code)),
           .source = HMS_API("room-codes/get-room-code-api")),
    GR_POST(
        "/room-codes/{roomId}", "room_codes.create_all", "Create a code for every role of a room",
        .alias = "/room-codes/room/{roomId}", .scope = "room_codes:write",
        .flags = GR_ROUTE_IDEMPOTENCY_KEY, .params = hms_room_params,
        .forward =
            GR_FORWARD(HMS_UPSTREAM, "/room-codes/room/{roomId}", .flags = GR_FORWARD_NO_BODY),
        .answers = HMS_ANSWER(200, "The codes", .schema = HMS_OBJECT(codes)),
        .doc = "New roles get a code, and codes of deleted roles stop working. A room has at most "
               "100 codes.",
        .source = HMS_API("room-codes/create-room-code-api")),
    GR_POST("/room-codes/{roomId}/role/{role}", "room_codes.create_for_role",
            "Create a code for one role", .alias = "/room-codes/room/{roomId}/role/{role}",
            .scope = "room_codes:write", .flags = GR_ROUTE_IDEMPOTENCY_KEY, .params = role_params,
            .forward = GR_FORWARD(HMS_UPSTREAM, "/room-codes/room/{roomId}/role/{role}",
                                  .flags = GR_FORWARD_NO_BODY),
            .answers =
                HMS_ANSWER(200, "The code", .schema = HMS_OBJECT(code), .example = CODE_EXAMPLE),
            .doc = "Every call can add another code to the role.",
            .source = HMS_API("room-codes/create-room-code-api")),
    GR_POST("/room-codes/update", "room_codes.update", "Enable or disable a code",
            .alias = "/room-codes/code", .scope = "room_codes:write",
            .body = GR_BODY(GR_OBJECT, .fields = change, .flags = GR_FIELD_REQUIRED),
            .forward = GR_FORWARD(HMS_UPSTREAM, "/room-codes/code", .flags = GR_FORWARD_IDEMPOTENT),
            .answers =
                HMS_ANSWER(200, "The code", .schema = HMS_OBJECT(code), .example = CODE_EXAMPLE),
            .source = HMS_API("room-codes/update-room-code-api")),
    GR_POST("/room-codes/code/{code}", "room_codes.token", "Exchange a code for a join token",
            .scope = "tokens:write", .params = code_params,
            .body = GR_BODY(GR_OBJECT, .fields = exchange),
            .forward = GR_FORWARD(HMS_AUTH_UPSTREAM, "/token", .flags = GR_FORWARD_IDEMPOTENT),
            .handle = exchange_code, .flags = GR_ROUTE_HIDDEN_PATH,
            .answers = HMS_ANSWER(200, "The token", .schema = HMS_OBJECT(token)),
            .doc = "The server API does not document the exchange; the request is the one that the "
                   "client SDK of 100ms sends.",
            .source = "100mslive/web-sdks packages/hms-video-store/src/sdk/index.ts"),
    GR_END,
};

static const char *const owns[] = {"/room-codes", NULL};

GR_PLUGIN("room_codes", .version = HMS_VERSION, .summary = "Room codes of 100ms",
          .licence = HMS_LICENCE, .routes = routes, .owns = owns, .flags = GR_PLUGIN_NO_STORE)
