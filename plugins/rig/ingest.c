/*
 * Services and their ingest servers. They are configuration, so that an operator can add a service.
 * The first server of a service is used; the API cannot choose another.
 */
#include "rig.h"

const char rig_services_default[] =
    "{\"YouTube\":{\"servers\":["
    "{\"name\":\"primary\",\"url\":\"rtmp://a.rtmp.youtube.com/live2\"},"
    "{\"name\":\"backup\",\"url\":\"rtmp://b.rtmp.youtube.com/live2?backup=1\"}]},"
    "\"Twitch\":{\"servers\":["
    "{\"name\":\"default\",\"url\":\"rtmp://live.twitch.tv/app\"},"
    "{\"name\":\"sin\",\"url\":\"rtmp://live-sin.twitch.tv/app\"},"
    "{\"name\":\"ams\",\"url\":\"rtmp://live-ams.twitch.tv/app\"},"
    "{\"name\":\"lon\",\"url\":\"rtmp://live-lhr.twitch.tv/app\"},"
    "{\"name\":\"nyc\",\"url\":\"rtmp://live-jfk.twitch.tv/app\"},"
    "{\"name\":\"sfo\",\"url\":\"rtmp://live-sfo.twitch.tv/app\"}]}}";

static const struct gr_field server_rows[] = {
    GR_FIELD("name", GR_STRING, "Name of the server, for the operator", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("url", GR_STRING, "URL to push to, without the key", .flags = GR_FIELD_REQUIRED,
             .pattern = "rtmps?://[A-Za-z0-9._:-]+/[A-Za-z0-9._~/?=&%+:-]*"),
    GR_END,
};

static const struct gr_field service_rows[] = {
    GR_FIELD("servers", GR_ARRAY, "Ingest servers of the service; the first one is used",
             .flags = GR_FIELD_REQUIRED, .range = GR_MIN(1),
             .items = GR_ITEM(GR_OBJECT, .fields = server_rows)),
    GR_END,
};

const struct gr_field rig_services_shape[] = {
    {.type = GR_MAP, .items = GR_ITEM(GR_OBJECT, .fields = service_rows)},
    GR_END,
};

const struct gr_field rig_destination_rows[] = {
    GR_FIELD("id", GR_INT, "Number of the destination, from 1"),
    GR_FIELD("service", GR_STRING, "Name of the service", .example = "\"Twitch\""),
    GR_FIELD("streamKey", GR_STRING, "Key of the user at the service", .flags = GR_FIELD_SECRET),
    GR_FIELD(
        "rtmpUrl", GR_STRING,
        "URL to push to; null when the service was removed from the config or the key is unsafe",
        .flags = GR_FIELD_SECRET),
    GR_FIELD("isActive", GR_BOOL, "Whether the stream is pushed to it"),
    GR_END,
};

static const char *server_of(const json_t *services, const char *service)
{
    const json_t *servers = json_object_get(json_object_get(services, service), "servers");

    return json_string_value(json_object_get(json_array_get(servers, 0), "url"));
}

bool rig_service_known(const json_t *services, const char *service)
{
    return server_of(services, service) != NULL;
}

json_t *rig_destination(const json_t *services, int64_t id, const char *service, gr_str key,
                        bool active)
{
    const char *server = server_of(services, service);
    /* The API checks keys, but a row from an import could still break an edge host. */
    bool usable = server && rig_key_safe(key);
    json_t *url = usable ? json_sprintf("%s/%.*s", server, (int)key.len, key.ptr) : json_null();

    return json_pack("{s:I, s:s, s:s%, s:o, s:b}", "id", (json_int_t)id, "service", service,
                     "streamKey", key.ptr, key.len, "rtmpUrl", url, "isActive", active && usable);
}

struct collect {
    const json_t *services;
    json_t *list;
    struct gr_call *call;
};

static enum gr_err collect(void *arg, const struct gr_value *columns, size_t count)
{
    struct collect *to = arg;
    const char *service = gr_copy(to->call, columns[1].s);

    (void)count;
    if (!service ||
        json_array_append_new(to->list, rig_destination(to->services, columns[0].i, service,
                                                        columns[2].s, columns[3].i != 0)) != 0)
        return GR_ERR_NO_MEMORY;
    return GR_OK;
}

enum gr_err rig_destinations(struct gr_call *call, const char *stream_id, json_t **ret_list)
{
    const struct gr_value params[] = {gr_v_text(stream_id)};
    struct collect to = {
        .services = rig_of(call)->options->services, .list = json_array(), .call = call};

    if (!to.list)
        return GR_ERR_NO_MEMORY;
    enum gr_err err =
        gr_store_query(call,
                       "SELECT id, service, stream_key, is_active FROM rig_destinations"
                       " WHERE stream_id = ?1 ORDER BY id",
                       params, 1, collect, &to);
    if (err != GR_OK) {
        json_decref(to.list);
        return err;
    }
    *ret_list = to.list;
    return GR_OK;
}
