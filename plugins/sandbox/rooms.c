/* Rooms: create, update, enable and disable. */
#include "rooms.h"
#include "routes.h"

#include <ctype.h>

static const struct gr_field upload_info[] = {
    GR_FIELD("location", GR_STRING, "Bucket or container", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("type", GR_STRING, "Kind of storage", .flags = GR_FIELD_REQUIRED,
             .values = HMS_STORAGE_TYPES),
    GR_FIELD("prefix", GR_STRING, "Prefix of every path"),
    GR_FIELD("options", GR_OBJECT, "Further options", .fields = hms_storage_options),
    GR_FIELD("credentials", GR_OBJECT, "Credentials of the storage",
             .fields = hms_storage_credentials),
    GR_END,
};

static const struct gr_field recording_info[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether to record every session", .default_doc = "false"),
    GR_FIELD("upload_info", GR_OBJECT, "Storage for the recordings", .fields = upload_info),
    GR_END,
};

static const struct gr_field room_fields[] = {
    GR_FIELD("name", GR_STRING, "Name, case-insensitive; an existing room is updated",
             .pattern = HMS_ROOM_NAME),
    GR_FIELD("description", GR_STRING, "Description"),
    GR_FIELD("template_id", GR_STRING, "ID of the template", .default_doc = "the default template"),
    GR_FIELD("recording_info", GR_OBJECT, "Recording settings, which replace the template's",
             .fields = recording_info),
    GR_FIELD("region", GR_STRING, "Region of the media servers", .values = HMS_REGIONS,
             .default_doc = "auto"),
    GR_FIELD("large_room", GR_BOOL, "Whether `size` may be above 2500", .default_doc = "false"),
    GR_FIELD("size", GR_INT, "Maximum number of peers; 0: no limit", .range = GR_MIN(0)),
    GR_FIELD("max_duration_seconds", GR_INT, "Maximum length of a session in seconds",
             .range = HMS_SESSION_SECONDS),
    GR_FIELD("polls", GR_ARRAY, "IDs of the polls of the room", .items = GR_ITEM(GR_STRING)),
    GR_FIELD("webhook", GR_OBJECT, "Receiver of events, which replaces the workspace's",
             .fields = hms_room_webhook),
    GR_FIELD("enabled", GR_BOOL, "Whether peers can join"),
    GR_END,
};

static const struct gr_field rooms_query[] = {
    GR_FIELD("name", GR_STRING, "Only the room with this name"),
    GR_FIELD("enabled", GR_BOOL, "Only enabled rooms, or only disabled ones"),
    GR_FIELD("after", GR_TIME, "Only rooms created at or after this time"),
    GR_FIELD("before", GR_TIME, "Only rooms created at or before this time"),
    GR_FIELD("template_id", GR_STRING, "Only rooms of this template"),
    SB_PAGE_FIELDS(10),
    GR_END,
};

/* Names are case-insensitive, so the key of the index is the lower-case name. */
struct sb_room_key {
    char text[256];
};

static struct sb_room_key key_of(const char *name)
{
    struct sb_room_key key = {""};

    for (size_t i = 0; name[i] && i < sizeof(key.text) - 1; i++)
        key.text[i] = (char)tolower((unsigned char)name[i]);
    return key;
}

static json_t *by_name(struct sandbox *sb, const char *name)
{
    struct sb_room_key key = key_of(name);

    return sb_find_text(sb, "rooms", sb_text(sb_all(sb, "room_names"), key.text));
}

enum gr_err sb_room_of(struct gr_call *call, struct sandbox *sb, bool enabled, json_t **ret_room)
{
    json_t *room = sb_find(sb, "rooms", gr_param(call, "room_id"));

    if (!room)
        return sb_error(call, 404, "Room not found", NULL);
    if (enabled && !sb_true(room, "enabled"))
        return sb_error(call, 403, "Room is disabled", NULL);
    *ret_room = room;
    return GR_OK;
}

static void set_name(struct sandbox *sb, json_t *room, const char *name)
{
    struct sb_room_key old = key_of(sb_text(room, "name"));
    struct sb_room_key key = key_of(name);

    sb_drop(sb, "room_names", old.text);
    sb_set(sb, sb_all(sb, "room_names"), key.text, sb_pack(sb, "s", sb_text(room, "id")));
    sb_set(sb, room, "name", sb_pack(sb, "s", name));
}

static void set_template(struct sandbox *sb, json_t *room, const char *id)
{
    const json_t *template = sb_find_text(sb, "templates", id);

    if (!template)
        return;
    sb_set(sb, room, "template_id", sb_pack(sb, "s", id));
    sb_set(sb, room, "template", sb_pack(sb, "s", sb_text(template, "name")));
}

/* Returns the region of a new room, from its template. */
static const char *region_of(struct sandbox *sb, const char *template_id)
{
    const json_t *template = sb_find_text(sb, "templates", template_id);
    const char *region = sb_text(json_object_get(template, "settings"), "region");

    return *region ? region : "auto";
}

static json_t *new_room(struct sandbox *sb, const json_t *body)
{
    struct sb_name id = sb_new_id(sb);
    struct sb_name name = sb_new_uuid(sb);
    struct sb_name now = sb_stamp(sb->now_ms);
    const char *own = *sb_text(body, "id") ? sb_text(body, "id") : id.text;
    const char *template_id = *sb_text(body, "template_id")
                                  ? sb_text(body, "template_id")
                                  : sb_text(json_object_get(sb->root, "meta"), "default_template");
    json_t *room =
        sb_pack(sb, "{ss ss sb ss ss ss sn ss ss ss ss ss ss sb}", "id", own, "name", "", "enabled",
                1, "description", "", "customer_id", sb->options->customer_id, "app_id",
                sb->options->app_id, "recording_info", "template_id", "", "template", "", "region",
                region_of(sb, template_id), "created_at", now.text, "updated_at", now.text,
                "customer", sb->options->customer_id, "large_room", 0);

    room = sb_put(sb, "rooms", own, room);
    set_name(sb, room, *sb_text(body, "name") ? sb_text(body, "name") : name.text);
    set_template(sb, room, template_id);
    return room;
}

json_t *sb_room_put(struct sandbox *sb, json_t *room, const json_t *body)
{
    static const char *const taken[] = {"description",          "region", "large_room", "size",
                                        "max_duration_seconds", "polls",  "webhook",    "enabled",
                                        "recording_info",       NULL};
    const char *name = sb_text(body, "name");

    if (!room && *name)
        room = by_name(sb, name);
    if (!room)
        room = new_room(sb, body);
    if (*name)
        set_name(sb, room, name);
    set_template(sb, room, sb_text(body, "template_id"));
    sb_take(sb, room, body, taken);
    if (json_is_object(json_object_get(body, "recording_info"))) {
        sb_set(sb, room, "recording_source_template", json_false());
        sb_set(sb, room, "enabled_source_template", json_false());
    }
    sb_set(sb, room, "updated_at", sb_time(sb, sb->now_ms));
    return room;
}

static enum gr_err check_size(struct gr_call *call, const json_t *room, const json_t *body)
{
    const json_t *large = json_object_get(body, "large_room");
    int64_t size = sb_int(json_object_get(body, "size") ? body : room, "size");

    if (size > HMS_ROOM_SIZE_LARGE)
        return sb_error(call, 400, "Invalid body param", "size: must not be above 20000");
    if (size > HMS_ROOM_SIZE && !(large ? json_is_true(large) : sb_true(room, "large_room")))
        return sb_error(call, 400, "Invalid body param",
                        "size: above 2500 it needs large_room to be true");
    return GR_OK;
}

/* Checks what the field rows cannot express. room is NULL for a new room. */
static enum gr_err check_body(struct gr_call *call, struct sandbox *sb, const json_t *room)
{
    const json_t *body = gr_json(call);
    const json_t *other = by_name(sb, sb_text(body, "name"));
    const char *template_id = sb_text(body, "template_id");

    if (json_object_get(body, "template"))
        return sb_error(call, 400, "Invalid body param: template", "use template_id");
    if (*template_id && !sb_find_text(sb, "templates", template_id))
        return sb_error(call, 400, "template not found", NULL);
    if (room && other && other != room)
        return sb_error(call, 400, "Invalid body param: name", "name: another room has it");
    return check_size(call, room ? room : other, body);
}

static const struct sb_filter filters[] = {
    {"enabled", "enabled", SB_BOOLEAN, "true"},
    {"after", "created_at", SB_SINCE, NULL},
    {"before", "created_at", SB_UNTIL, NULL},
    {"template_id", "template_id", SB_EQUAL, NULL},
    {0},
};

static bool has_name(struct gr_call *call, struct sandbox *sb, const json_t *row)
{
    gr_str name = gr_query(call, "name");

    (void)sb;
    return !name.len || strcasecmp(name.ptr, sb_text(row, "name")) == 0;
}

static enum gr_err rooms_list(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_list list = {.collection = "rooms",
                                        .items = "data",
                                        .filters = filters,
                                        .limit_default = 10,
                                        .keep = has_name};

    return sb_reply_list(call, sb, &list);
}

static enum gr_err rooms_get(struct gr_call *call, struct sandbox *sb)
{
    json_t *room = NULL;
    enum gr_err err = sb_room_of(call, sb, false, &room);

    return err == GR_OK ? sb_reply_row(call, sb, room) : err;
}

static enum gr_err rooms_create(struct gr_call *call, struct sandbox *sb)
{
    enum gr_err err = check_body(call, sb, NULL);
    json_t *body;
    json_t *room = NULL;

    if (err != GR_OK)
        return err;
    body = sb_copy(sb, gr_json(call));
    sb_unset(sb, body, "id"); /* only a seed may set ids */
    room = sb_room_put(sb, NULL, body);
    json_decref(body);
    return sb_reply_row(call, sb, room);
}

static enum gr_err rooms_update(struct gr_call *call, struct sandbox *sb)
{
    json_t *room = NULL;
    enum gr_err err = sb_room_of(call, sb, false, &room);

    if (err == GR_OK)
        err = check_body(call, sb, room);
    return err == GR_OK ? sb_reply_row(call, sb, sb_room_put(sb, room, gr_json(call))) : err;
}

const struct gr_route sb_room_routes[] = {
    SB_GET("/rooms", "rooms.list", "List rooms", .query = rooms_query, SB_RUN(rooms_list)),
    SB_POST("/rooms", "rooms.create", "Create a room, or update the one with this name",
            .body = GR_BODY(GR_OBJECT, .fields = room_fields), SB_RUN(rooms_create)),
    SB_GET("/rooms/{room_id}", "rooms.get", "Fetch a room", SB_RUN(rooms_get)),
    SB_POST("/rooms/{room_id}", "rooms.update", "Change, enable or disable a room",
            .body = GR_BODY(GR_OBJECT, .fields = room_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(rooms_update)),
    GR_END,
};
