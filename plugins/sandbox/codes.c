/* Room codes, and their exchange for a token. */
#include "auth.h"
#include "rooms.h"
#include "routes.h"

#define CODES_PER_ROOM_MAX 100

static const struct gr_field codes_query[] = {
    GR_FIELD("role", GR_STRING, "Only codes of this role"),
    GR_FIELD("enabled", GR_BOOL, "Only enabled codes, or only disabled ones"),
    SB_PAGE_FIELDS(1),
    GR_END,
};

static const struct gr_field code_update_fields[] = {
    GR_FIELD("code", GR_STRING, "The room code", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("enabled", GR_BOOL, "Whether the code is enabled", .flags = GR_FIELD_REQUIRED),
    GR_END,
};

static const struct gr_field exchange_fields[] = {
    GR_FIELD("code", GR_STRING, "A room code", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("user_id", GR_STRING, "User id for the token"),
    GR_END,
};

static size_t count_codes(struct sandbox *sb, const char *room_id)
{
    const char *code;
    json_t *row;
    size_t count = 0;

    json_object_foreach(sb_all(sb, "codes"), code, row)
        count += sb_is(row, "room_id", gr_str_of(room_id));
    return count;
}

static json_t *new_code(struct sandbox *sb, const json_t *room, const char *role)
{
    struct sb_name now = sb_stamp(sb->now_ms);
    struct sb_name code = sb_new_code(sb);

    while (sb_find_text(sb, "codes", code.text))
        code = sb_new_code(sb);
    return sb_put(sb, "codes", code.text,
                  sb_pack(sb, "{ss ss ss sb ss ss}", "code", code.text, "room_id",
                          sb_text(room, "id"), "role", role, "enabled", 1, "created_at", now.text,
                          "updated_at", now.text));
}

static json_t *roles_of(struct sandbox *sb, const json_t *room)
{
    return json_object_get(sb_find_text(sb, "templates", sb_text(room, "template_id")), "roles");
}

static enum gr_err room_for_codes(struct gr_call *call, struct sandbox *sb, size_t wanted,
                                  json_t **ret_room)
{
    enum gr_err err = sb_room_of(call, sb, true, ret_room);

    if (err != GR_OK)
        return err;
    if (wanted && count_codes(sb, sb_text(*ret_room, "id")) + wanted > CODES_PER_ROOM_MAX)
        return sb_error(call, 400, "Room code limit reached", "a room can have 100 codes");
    return GR_OK;
}

static bool of_room(struct gr_call *call, struct sandbox *sb, const json_t *row)
{
    (void)sb;
    return sb_is(row, "room_id", gr_param(call, "room_id"));
}

static enum gr_err codes_list(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_filter filters[] = {
        {"role", "role", SB_EQUAL, NULL},
        {"enabled", "enabled", SB_BOOLEAN, NULL},
        {0},
    };
    static const struct sb_list list = {.collection = "codes",
                                        .items = "data",
                                        .filters = filters,
                                        .limit_default = 20,
                                        .last_only_when_more = true,
                                        .keep = of_room};
    gr_str role = gr_query(call, "role");
    json_t *room = NULL;
    enum gr_err err = room_for_codes(call, sb, 0, &room);

    if (err != GR_OK)
        return err;
    if (role.len && !json_object_get(roles_of(sb, room), role.ptr))
        return sb_error(call, 404, "Role not found", NULL);
    return sb_reply_list(call, sb, &list);
}

/* Appends the room's codes of existing roles to data and disables the others. The roles with a code
 * become members of covered. */
static void keep_codes(struct sandbox *sb, const json_t *room, json_t *data, json_t *covered)
{
    const char *text;
    json_t *code;

    json_object_foreach(sb_all(sb, "codes"), text, code) {
        const char *role = sb_text(code, "role");

        if (!sb_is(code, "room_id", gr_str_of(sb_text(room, "id"))))
            continue;
        if (json_object_get(roles_of(sb, room), role)) {
            sb_append(sb, data, sb_view(sb, code));
            sb_set(sb, covered, role, json_true());
        } else if (sb_true(code, "enabled")) {
            sb_set(sb, code, "enabled", json_false());
            sb_set(sb, code, "updated_at", sb_time(sb, sb->now_ms));
        }
    }
}

/* Like the service, returns existing codes and creates only the missing ones. */
static enum gr_err codes_create_all(struct gr_call *call, struct sandbox *sb)
{
    json_t *covered;
    json_t *data;
    json_t *roles;
    json_t *room = NULL;
    const char *role;
    json_t *value;
    enum gr_err err = sb_room_of(call, sb, true, &room);

    if (err != GR_OK)
        return err;
    roles = roles_of(sb, room);
    covered = sb_pack(sb, "{}");
    data = sb_pack(sb, "[]");
    keep_codes(sb, room, data, covered);
    err = room_for_codes(call, sb, json_object_size(roles) - json_object_size(covered), &room);
    json_object_foreach(err == GR_OK ? roles : NULL, role, value) {
        if (!json_object_get(covered, role))
            sb_append(sb, data, sb_view(sb, new_code(sb, room, role)));
    }
    if (err == GR_OK)
        err = sb_reply(call, sb, sb_pack(sb, "{sO}", "data", data));
    json_decref(covered);
    json_decref(data);
    return err;
}

static enum gr_err codes_create(struct gr_call *call, struct sandbox *sb)
{
    const char *role = gr_param(call, "role").ptr;
    json_t *room = NULL;
    enum gr_err err = room_for_codes(call, sb, 1, &room);

    if (err != GR_OK)
        return err;
    if (!json_object_get(roles_of(sb, room), role))
        return sb_error(call, 404, "Role not found", NULL);
    return sb_reply_row(call, sb, new_code(sb, room, role));
}

/* True when the room and the role of the code exist. */
static bool code_is_valid(struct sandbox *sb, const json_t *code)
{
    const json_t *room = sb_find_text(sb, "rooms", sb_text(code, "room_id"));

    return room && json_object_get(roles_of(sb, room), sb_text(code, "role"));
}

static enum gr_err codes_update(struct gr_call *call, struct sandbox *sb)
{
    const json_t *body = gr_json(call);
    json_t *code = sb_find_text(sb, "codes", sb_text(body, "code"));
    bool enable = sb_true(body, "enabled");

    if (!code)
        return sb_error(call, 404, "Code not found", NULL);
    if (enable && !code_is_valid(sb, code))
        return sb_error(call, 403, "Code can not be enabled", NULL);
    sb_set(sb, code, "enabled", json_boolean(enable));
    sb_set(sb, code, "updated_at", sb_time(sb, sb->now_ms));
    return sb_reply_row(call, sb, code);
}

static enum gr_err codes_exchange(struct gr_call *call, struct sandbox *sb)
{
    const json_t *body = gr_json(call);
    const json_t *code = sb_find_text(sb, "codes", sb_text(body, "code"));
    const json_t *room = sb_find_text(sb, "rooms", sb_text(code, "room_id"));
    const char *user_id = json_string_value(json_object_get(body, "user_id"));
    enum gr_err err;
    char *token;

    if (!code || !sb_true(code, "enabled") || !code_is_valid(sb, code))
        return sb_error(call, 404, "Room code not found", "unknown or disabled");
    if (!sb_true(room, "enabled"))
        return sb_error(call, 403, "Room is disabled", NULL);
    err = sb_new_app_token(call, sb_text(room, "id"), sb_text(code, "role"), user_id, &token);
    if (err != GR_OK)
        return gr_fail(call, err, "cannot sign a token");
    return sb_reply(call, sb, sb_pack(sb, "{ss}", "token", token));
}

const struct gr_route sb_code_routes[] = {
    SB_GET("/room-codes/room/{room_id}", "codes.list", "List the codes of a room",
           .query = codes_query, SB_RUN(codes_list)),
    SB_POST("/room-codes/room/{room_id}", "codes.create_all", "Create a code for each role",
            SB_RUN(codes_create_all)),
    SB_POST("/room-codes/room/{room_id}/role/{role}", "codes.create", "Create a code for one role",
            SB_RUN(codes_create)),
    SB_POST("/room-codes/code", "codes.update", "Enable or disable a code",
            .body = GR_BODY(GR_OBJECT, .fields = code_update_fields,
                            .flags = GR_FIELD_REQUIRED | GR_FIELD_STRICT),
            SB_RUN(codes_update)),
    GR_POST("/token", "sandbox.codes.exchange", "Exchange a room code for a token",
            .access = GR_ACCESS_OPEN,
            .body = GR_BODY(GR_OBJECT, .fields = exchange_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(codes_exchange), .flags = GR_ROUTE_ANY_CONTENT_TYPE),
    GR_END,
};
