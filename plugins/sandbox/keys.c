/* Stream keys: a room has at most one enabled key. */
#include "rooms.h"
#include "routes.h"

static json_t *active_key(struct sandbox *sb, const json_t *room)
{
    const char *id;
    json_t *key;

    json_object_foreach(sb_all(sb, "stream_keys"), id, key) {
        if (sb_true(key, "enabled") && sb_is(key, "room_id", gr_str_of(sb_text(room, "id"))))
            return key;
    }
    return NULL;
}

/* Finds the active key of the call's room; without one, the call has failed with the message. */
static enum gr_err key_of(struct gr_call *call, struct sandbox *sb, const char *message,
                          json_t **ret_key)
{
    json_t *room = NULL;
    enum gr_err err = sb_room_of(call, sb, true, &room);

    if (err != GR_OK)
        return err;
    *ret_key = active_key(sb, room);
    return *ret_key ? GR_OK : sb_error(call, 404, message, NULL);
}

static enum gr_err keys_get(struct gr_call *call, struct sandbox *sb)
{
    json_t *key = NULL;
    enum gr_err err = key_of(call, sb, "No active key found", &key);

    if (err != GR_OK || !key)
        return err;
    return sb_reply(call, sb,
                    sb_pack(sb, "{s[o] ss}", "data", sb_view(sb, key), "last", sb_text(key, "id")));
}

static enum gr_err keys_create(struct gr_call *call, struct sandbox *sb)
{
    struct sb_name id = sb_new_id(sb);
    struct sb_name secret = sb_new_hex(sb, 24);
    struct sb_name now = sb_stamp(sb->now_ms);
    json_t *room = NULL;
    enum gr_err err = sb_room_of(call, sb, true, &room);

    if (err != GR_OK)
        return err;
    if (active_key(sb, room))
        return sb_error(call, 400, "Active key already exists", NULL);
    return sb_reply_row(
        call, sb,
        sb_put(sb, "stream_keys", id.text,
               sb_pack(sb, "{ss so ss ss ss ss sb ss ss}", "id", id.text, "key",
                       json_sprintf("sk-%s", secret.text), "url", "rtmp://ingest.example.org/live",
                       "room_id", sb_text(room, "id"), "customer_id", sb->options->customer_id,
                       "app_id", sb->options->app_id, "enabled", 1, "created_at", now.text,
                       "updated_at", now.text)));
}

static enum gr_err keys_disable(struct gr_call *call, struct sandbox *sb)
{
    json_t *key = NULL;
    enum gr_err err = key_of(call, sb, "Key not found", &key);

    if (err != GR_OK || !key)
        return err;
    sb_set(sb, key, "enabled", json_false());
    sb_set(sb, key, "updated_at", sb_time(sb, sb->now_ms));
    /* the documented status of this answer */
    return gr_reply_json(call, 201, sb_pack(sb, "{ss}", "message", "key disabled successfully"));
}

const struct gr_route sb_key_routes[] = {
    SB_GET("/stream-keys/room/{room_id}", "keys.get", "Fetch the stream key of a room",
           SB_RUN(keys_get)),
    SB_POST("/stream-keys/room/{room_id}", "keys.create", "Create a stream key",
            SB_RUN(keys_create)),
    SB_POST("/stream-keys/room/{room_id}/disable", "keys.disable", "Disable the stream key",
            SB_RUN(keys_disable)),
    GR_END,
};
