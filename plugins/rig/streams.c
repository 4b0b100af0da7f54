/*
 * streams: the streams of a user and their destinations. A stream of another user gets the same
 * answer as one that does not exist, before the body is read, so that no user learns of another's
 * streams.
 */
#include "destinations.h"
#include "stream.h"

#include <stdlib.h>

#define KEY_ATTEMPTS 3
#define KEY_MESSAGE "Unable to update stream key"

/* ------------------------------------------------------------------------------------------ */
/* Rows                                                                                       */

static json_t *stream_json(const struct rig_stream *stream, json_t *stolen_destinations)
{
    return json_pack("{s:s, s:s, s:o, s:n, s:b, s:b}", "id", stream->id, "streamKey", stream->key,
                     "destinations", stolen_destinations ? stolen_destinations : json_null(),
                     "provisionStatus", "isStreaming", stream->live, "isActive", stream->active);
}

/* .admit of the routes of one stream. */
static enum gr_err admit(struct gr_call *call)
{
    struct rig_stream stream;

    enum gr_err err = rig_stream_read(call, &stream);
    if (err == GR_ERR_NOT_FOUND)
        return rig_fail(call, err, 404, RIG_NOT_FOUND, NULL);
    return err;
}

/* ------------------------------------------------------------------------------------------ */
/* POST /streams/, GET /streams/                                                              */

struct new_stream {
    char id[RIG_UUID_SIZE];
    char key[RIG_KEY_SIZE];
};

static enum gr_err insert_stream(struct gr_call *call, void *arg)
{
    const struct new_stream *stream = arg;
    int64_t limit = rig_of(call)->options->max_streams_per_user;
    int64_t count = 0;
    int64_t last_ms = 0;

    enum gr_err err = rig_count(call, "SELECT count(*) FROM rig_streams WHERE user_id = ?1",
                                gr_caller(call), &count);
    if (err == GR_OK && limit && count >= limit)
        return GR_ERR_UNPROCESSABLE;
    /* Lists are ordered by the time of creation, so each stream of a user needs a different one. */
    if (err == GR_OK)
        err = rig_count(call,
                        "SELECT COALESCE(MAX(created_at_ms), 0) FROM rig_streams"
                        " WHERE user_id = ?1",
                        gr_caller(call), &last_ms);
    int64_t now_ms = gr_store_now_ms(call);
    const struct gr_value params[] = {gr_v_text(stream->id), gr_v_text(stream->key),
                                      gr_v_str(gr_caller(call)),
                                      gr_v_int(now_ms > last_ms ? now_ms : last_ms + 1)};
    if (err == GR_OK)
        err = gr_store_exec(call,
                            "INSERT INTO rig_streams"
                            " (id, stream_key, user_id, is_active, created_at_ms, updated_at_ms)"
                            " VALUES (?1, ?2, ?3, 1, ?4, ?4)",
                            params, 4);
    if (err == GR_OK)
        err = rig_audit(call, "stream created", gr_caller(call), gr_str_of(stream->id), "ok");
    return err;
}

static enum gr_err streams_create(struct gr_call *call)
{
    struct new_stream made;
    enum gr_err err = GR_ERR_STORE_UNIQUE;

    for (int i = 0; i < KEY_ATTEMPTS && err == GR_ERR_STORE_UNIQUE; i++) {
        gr_uuid(call->host, made.id);
        rig_key_new(call, made.key);
        err = gr_store_tx(call, insert_stream, &made);
    }
    if (err == GR_ERR_UNPROCESSABLE)
        return rig_fail_limit(call, rig_of(call)->options->max_streams_per_user);
    if (err != GR_OK)
        return rig_stream_fail(call, err, RIG_CREATE, NULL);
    struct rig_stream stream = {.key = made.key, .active = true};
    memcpy(stream.id, made.id, sizeof(stream.id));
    return rig_reply(call, "New stream created", stream_json(&stream, NULL));
}

struct stream_list {
    struct gr_call *call;
    json_t *list;
    int64_t now_ms;
};

static enum gr_err list_stream(void *arg, const struct gr_value *columns, size_t count)
{
    struct stream_list *to = arg;
    struct rig_stream stream = {.key = gr_copy(to->call, columns[1].s),
                                .active = columns[2].i != 0,
                                .live = columns[3].i > to->now_ms};

    (void)count;
    if (!stream.key || !rig_uuid_parse(columns[0].s, stream.id))
        return GR_ERR_INTERNAL;
    return json_array_append_new(to->list, stream_json(&stream, NULL)) == 0 ? GR_OK
                                                                            : GR_ERR_NO_MEMORY;
}

static enum gr_err streams_list(struct gr_call *call)
{
    const struct gr_value params[] = {gr_v_str(gr_caller(call))};
    struct stream_list to = {call, json_array(), gr_store_now_ms(call)};

    enum gr_err err =
        gr_store_query(call,
                       "SELECT id, stream_key, is_active, live_until_ms FROM rig_streams"
                       " WHERE user_id = ?1 ORDER BY created_at_ms, id",
                       params, 1, list_stream, &to);
    if (err != GR_OK) {
        json_decref(to.list);
        return rig_stream_fail(call, err, RIG_FETCH, NULL);
    }
    return rig_reply(call, "Stream list for user", to.list);
}

/* ------------------------------------------------------------------------------------------ */
/* One stream                                                                                 */

/* Answers the stream with its destinations; an empty list is shown as null. */
static enum gr_err stream_reply(struct gr_call *call, const char *message)
{
    struct rig_stream stream;
    json_t *list = NULL;

    enum gr_err err = rig_stream_read(call, &stream);
    if (err == GR_OK)
        err = rig_destinations(call, stream.id, &list);
    if (err != GR_OK)
        return rig_stream_fail(call, err, RIG_FETCH, NULL);
    if (json_array_size(list) == 0) {
        json_decref(list);
        list = NULL;
    }
    return rig_reply(call, message, stream_json(&stream, list));
}

static enum gr_err streams_detail(struct gr_call *call)
{
    return stream_reply(call, "Stream detail");
}

static enum gr_err update_stream(struct gr_call *call, void *arg)
{
    const json_t *active = arg;
    struct rig_stream stream;

    enum gr_err err = rig_stream_read(call, &stream);
    if (err != GR_OK || !active)
        return err;
    const struct gr_value params[] = {gr_v_text(stream.id), gr_v_int(json_is_true(active)),
                                      gr_v_int(gr_store_now_ms(call))};
    err = gr_store_exec(
        call, "UPDATE rig_streams SET is_active = ?2, updated_at_ms = ?3 WHERE id = ?1", params, 3);
    if (err == GR_OK)
        err = rig_audit(call, json_is_true(active) ? "stream activated" : "stream deactivated",
                        gr_caller(call), gr_str_of(stream.id), "ok");
    return err;
}

static enum gr_err streams_update(struct gr_call *call)
{
    json_t *active = json_object_get(gr_json(call), "isActive");

    enum gr_err err = gr_store_tx(call, update_stream, json_is_boolean(active) ? active : NULL);
    if (err != GR_OK)
        return rig_stream_fail(call, err, RIG_UPDATE, NULL);
    return stream_reply(call, "Stream updated");
}

static enum gr_err remove_stream(struct gr_call *call, void *arg)
{
    struct rig_stream stream;

    (void)arg;
    enum gr_err err = rig_stream_read(call, &stream);
    if (err != GR_OK)
        return err;
    if (stream.live)
        return GR_ERR_CONFLICT;
    const struct gr_value params[] = {gr_v_text(stream.id)};
    err = gr_store_exec(call, "DELETE FROM rig_destinations WHERE stream_id = ?1", params, 1);
    if (err == GR_OK)
        err = gr_store_exec(call, "DELETE FROM rig_streams WHERE id = ?1", params, 1);
    if (err == GR_OK)
        err = rig_audit(call, "stream removed", gr_caller(call), gr_str_of(stream.id), "ok");
    return err;
}

static enum gr_err streams_remove(struct gr_call *call)
{
    enum gr_err err = gr_store_tx(call, remove_stream, NULL);

    if (err != GR_OK)
        return rig_stream_fail(call, err, RIG_UPDATE, NULL);
    return rig_reply(call, "Stream removed", NULL);
}

struct key_change {
    struct rig_stream stream;
    char key[RIG_KEY_SIZE];
};

static enum gr_err change_key(struct gr_call *call, void *arg)
{
    struct key_change *change = arg;

    enum gr_err err = rig_stream_read(call, &change->stream);
    if (err != GR_OK)
        return err;
    const struct gr_value params[] = {gr_v_text(change->stream.id), gr_v_text(change->key),
                                      gr_v_int(gr_store_now_ms(call))};
    err = gr_store_exec(call,
                        "UPDATE rig_streams SET stream_key = ?2, updated_at_ms = ?3 WHERE id = ?1",
                        params, 3);
    if (err == GR_OK)
        err = rig_audit(call, "stream key changed", gr_caller(call), gr_str_of(change->stream.id),
                        "ok");
    return err;
}

static enum gr_err streams_change_key(struct gr_call *call)
{
    struct key_change change;
    enum gr_err err = GR_ERR_STORE_UNIQUE;

    for (int i = 0; i < KEY_ATTEMPTS && err == GR_ERR_STORE_UNIQUE; i++) {
        rig_key_new(call, change.key);
        err = gr_store_tx(call, change_key, &change);
    }
    if (err != GR_OK)
        return rig_stream_fail(call, err, RIG_UPDATE, KEY_MESSAGE);
    return rig_reply(call, "New stream key",
                     json_pack("{s:s, s:s}", "key", change.key, "streamID", change.stream.id));
}

/* ------------------------------------------------------------------------------------------ */
/* Tables                                                                                     */

static const struct gr_field destination_body[] = {
    GR_FIELD("service", GR_STRING, "Name of the service, such as YouTube or Twitch",
             .flags = GR_FIELD_REQUIRED, .check = rig_check_not_empty, .example = "\"Twitch\""),
    GR_FIELD("streamKey", GR_STRING, "Key of the user at the service",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET, .check = rig_check_destination_key,
             .example = "\"live_31_kexample\""),
    GR_END,
};

static const struct gr_field destination_changes[] = {
    GR_FIELD("isActive", GR_BOOL, "Whether the stream is pushed to it", .flags = GR_FIELD_NOT_NULL,
             .any_of = "change"),
    GR_FIELD("streamKey", GR_STRING, "New key at the service",
             .flags = GR_FIELD_NOT_NULL | GR_FIELD_SECRET, .check = rig_check_destination_key,
             .any_of = "change"),
    GR_END,
};

static const struct gr_field stream_changes[] = {
    GR_FIELD("isActive", GR_BOOL, "Whether the stream accepts a broadcast",
             .flags = GR_FIELD_REQUIRED),
    GR_END,
};

#define EXAMPLE_STREAM(destinations_)                                                              \
    "{\"id\":\"5f0a1c92-7d34-4be8-b6f1-20c9e4d7a355\",\"streamKey\":\"Qm3vT0xkR4aZ9cLw_hB1uA\","   \
    "\"destinations\":" destinations_ ",\"provisionStatus\":null,\"isStreaming\":false,"           \
    "\"isActive\":true}"

static const struct gr_route routes[] = {
    GR_POST("/streams", "streams.create", "Create a stream", .access = GR_ACCESS_GROUP,
            .flags = GR_ROUTE_IDEMPOTENCY_KEY, .handle = streams_create,
            .answers = RIG_ANSWER("The stream", "New stream created", EXAMPLE_STREAM("null")),
            .source = RIG_SOURCE),
    GR_GET("/streams", "streams.list", "List the caller's streams", .access = GR_ACCESS_GROUP,
           .handle = streams_list,
           .answers = RIG_ANSWER("The streams, without their destinations", "Stream list for user",
                                 "[" EXAMPLE_STREAM("null") "]"),
           .source = RIG_SOURCE),
    GR_GET("/streams/{streamID}", "streams.detail", "Show a stream and its destinations",
           .access = GR_ACCESS_GROUP, .handle = streams_detail,
           .answers = RIG_ANSWER("The stream", "Stream detail",
                                 EXAMPLE_STREAM("[" RIG_EXAMPLE_DESTINATION "]")),
           .source = RIG_SOURCE),
    GR_PATCH("/streams/{streamID}", "streams.update", "Activate or deactivate a stream",
             .access = GR_ACCESS_GROUP, .admit = admit, RIG_BODY(stream_changes),
             .handle = streams_update,
             .answers = RIG_ANSWER("The stream", "Stream updated", EXAMPLE_STREAM("null"))),
    GR_DELETE("/streams/{streamID}", "streams.remove", "Remove a stream and its destinations",
              .access = GR_ACCESS_GROUP, .admit = admit, .handle = streams_remove,
              .answers = RIG_ANSWER("The stream was removed", "Stream removed", "null")),
    GR_POST("/streams/{streamID}/changeKey", "streams.change_key", "Give a stream a new key",
            .access = GR_ACCESS_GROUP, .admit = admit, .handle = streams_change_key,
            .data = &rig_updates, .doc = "The old key stops working at once.",
            .answers = RIG_ANSWER("The new key", "New stream key",
                                  "{\"key\":\"x7_YdPq0S3mN-eVbK2tLfg\","
                                  "\"streamID\":\"5f0a1c92-7d34-4be8-b6f1-20c9e4d7a355\"}"),
            .source = RIG_SOURCE),
    GR_POST("/streams/{streamID}/destination", "streams.add_destination", "Add a destination",
            .access = GR_ACCESS_GROUP, .flags = GR_ROUTE_IDEMPOTENCY_KEY, .admit = admit,
            RIG_BODY(destination_body), .handle = rig_destinations_add,
            .doc = "Changes of destinations take effect at the next publish.",
            .answers =
                RIG_ANSWER("The destination", "Stream destination added", RIG_EXAMPLE_DESTINATION),
            .source = RIG_SOURCE),
    GR_PATCH("/streams/{streamID}/destination/{destinationID}", "streams.update_destination",
             "Change a destination", .access = GR_ACCESS_GROUP, .admit = rig_destination_admit,
             RIG_BODY(destination_changes), .handle = rig_destinations_update,
             .answers = RIG_ANSWER("The destination", "Stream destination updated",
                                   RIG_EXAMPLE_DESTINATION)),
    GR_DELETE("/streams/{streamID}/destination/{destinationID}", "streams.remove_destination",
              "Remove a destination", .access = GR_ACCESS_GROUP, .admit = rig_destination_admit,
              .handle = rig_destinations_remove,
              .answers =
                  RIG_ANSWER("The destination was removed", "Stream destination removed", "null")),
    GR_END,
};

static const struct gr_option options[] = {
    GR_OPTION(rig_options, users_key, GR_OPT_SECRET, NULL,
              "Key that signs tokens of users, as in accounts", .env = "RIG_USERS_KEY"),
    GR_OPTION(rig_options, users_key_previous, GR_OPT_SECRET, NULL, "Previous key, as in accounts"),
    GR_OPTION(rig_options, users_key_legacy, GR_OPT_SECRET, NULL,
              "Key of tokens without kid, as in accounts"),
    GR_OPTION(rig_options, audience, GR_OPT_STRING, "rig.xplex.me", "Claim aud of all tokens"),
    GR_OPTION(rig_options, services, GR_OPT_JSON, rig_services_default,
              "Services for destinations and their ingest servers; the same as in agents",
              .json = rig_services_shape),
    GR_OPTION(rig_options, max_streams_per_user, GR_OPT_INT, "50",
              "Maximum number of streams per user; 0: no limit", .range = GR_MIN(0)),
    GR_OPTION(rig_options, max_destinations_per_stream, GR_OPT_INT, "20",
              "Maximum number of destinations per stream; 0: no limit", .range = GR_MIN(0)),
    GR_END,
};

static void streams_fini(struct gr_self *self, void *state)
{
    struct rig *rig = state;

    (void)self;
    free(rig);
}

static enum gr_err streams_init(struct gr_self *self, const void *opts, void **ret_state)
{
    const struct rig_options *given = opts;
    struct rig *rig = calloc(1, sizeof(*rig));

    if (!rig)
        return GR_ERR_NO_MEMORY;
    rig->options = given;
    enum gr_err err = rig_keyring_init(self, &rig->users, "users", given->users_key,
                                       given->users_key_previous, given->users_key_legacy);
    if (err != GR_OK) {
        streams_fini(self, rig);
        return err;
    }
    *ret_state = rig;
    return GR_OK;
}

static const char *const owns[] = {"/streams", NULL};

GR_PLUGIN("streams", .version = RIG_VERSION,
          .summary = "Streams of a streaming site and their destinations", .licence = RIG_LICENCE,
          .routes = routes, .options = options, .options_size = sizeof(struct rig_options),
          .migrations = rig_migrations, .owns = owns, .flags = RIG_FLAGS,
          .render_error = rig_render_error, .error_body = rig_error_body,
          .authenticate = rig_authenticate_user, .init = streams_init, .fini = streams_fini,
          .migrations_name = RIG_SCHEMA)
