/*
 * external_streams: rooms streamed to external RTMP servers.
 */
#include "common.h"

#include <jansson.h>

static gr_check_fn check_resolution;

static const struct gr_field stream_params[] = {
    HMS_PARAM_ID("streamId", "ID of the stream"),
    GR_END,
};

static const struct gr_field resolution[] = {
    GR_FIELD("width", GR_INT, "Size in pixels", .flags = GR_FIELD_REQUIRED, .default_doc = "1280"),
    GR_FIELD("height", GR_INT, "Size in pixels", .flags = GR_FIELD_REQUIRED, .default_doc = "720"),
    GR_END,
};

static const struct gr_field start[] = {
    GR_FIELD("rtmp_urls", GR_ARRAY, "Servers to stream to, each with its stream key",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET, .range = HMS_RTMP_URLS,
             .items = GR_ITEM(GR_STRING, .pattern = "[Rr][Tt][Mm][Pp][Ss]?://.+"),
             .example = "[\"rtmps://live.example.org/app/key\"]"),
    HMS_MEETING_URL,
    HMS_DESTINATION,
    GR_FIELD("recording", GR_BOOL, "Whether to record the stream as well", .default_doc = "false"),
    GR_FIELD("resolution", GR_OBJECT, "Size of the picture, at most 1920x1080 or 1080x1920",
             .fields = resolution, .check = check_resolution),
    GR_END,
};

static const struct gr_field stream[] = {
    HMS_JOB_MEMBERS,
    GR_FIELD("rtmp_urls", GR_ARRAY, "Servers to which the stream goes", .flags = GR_FIELD_SECRET,
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("recording", GR_BOOL, "Whether the stream is recorded"),
    GR_FIELD("resolution", GR_OBJECT, "Size of the picture", .fields = resolution),
    HMS_JOB_ASSETS,
    GR_END,
};

#define STREAM_ANSWER(doc_)                                                                        \
    HMS_ANSWER(200, doc_, .schema = HMS_OBJECT(stream),                                            \
               .example = HMS_JSON({                                                               \
                   "id" : "66f2d5119b07c35d2a6f4470",                                              \
                   "room_id" : "66f1c0a2b4d93e5a7c118e01",                                         \
                   "session_id" : "66f2d41e9b07c35d2a6f4410",                                      \
                   "status" : "running",                                                           \
                   "destination" : "default",                                                      \
                   "rtmp_urls" : ["rtmps://live.example.org/app/key"],                             \
                   "recording" : true,                                                             \
                   "resolution" : {"width" : 1280, "height" : 720},                                \
                   "created_at" : "2025-03-04T17:20:00.3Z",                                        \
                   "started_at" : "2025-03-04T17:20:06.1Z",                                        \
                   "stopped_at" : null                                                             \
               }))

static const struct gr_route routes[] = {
    HMS_GET("/external-streams", "external_streams.list", "List the external streams",
            .scope = "external_streams:read", .query = hms_job_query,
            .answers = HMS_ANSWER(200, "One page of streams", .schema = HMS_PAGE("data", stream)),
            .source = HMS_API("external-streams/list-all-external-streams")),
    HMS_GET("/external-streams/{streamId}", "external_streams.get", "Fetch one external stream",
            .scope = "external_streams:read", .params = stream_params,
            .answers = STREAM_ANSWER("The stream"),
            .source = HMS_API("external-streams/get-external-stream")),
    HMS_POST("/external-streams/room/{roomId}/start", "external_streams.start",
             "Stream a room to RTMP servers", .scope = "external_streams:write",
             .flags = GR_ROUTE_IDEMPOTENCY_KEY, .params = hms_room_params,
             .body = GR_BODY(GR_OBJECT, .fields = start, .flags = GR_FIELD_REQUIRED),
             .answers = STREAM_ANSWER("The stream, starting"),
             .source = HMS_API("external-streams/start-external-stream-for-room")),
    HMS_ACTION("/external-streams/room/{roomId}/stop", "external_streams.stop_room",
               "Stop every external stream of a room", .scope = "external_streams:write",
               .params = hms_room_params,
               .answers =
                   HMS_ANSWER(200, "The streams, stopping; `error` names those that did not stop",
                              .schema = HMS_PAGE("data", stream)),
               .source = HMS_API("external-streams/stop-external-stream-for-room")),
    HMS_ACTION("/external-streams/{streamId}/stop", "external_streams.stop",
               "Stop one external stream", .scope = "external_streams:write",
               .params = stream_params, .answers = STREAM_ANSWER("The stream, stopping"),
               .source = HMS_API("external-streams/stop-external-stream-by-id")),
    GR_END,
};

/* Landscape sizes go from 500x480 to 1920x1080, portrait sizes from 500x500 to 1080x1920. */
static enum gr_err check_resolution(struct gr_call *call, const json_t *parent, const json_t *value)
{
    json_int_t width = json_integer_value(json_object_get(value, "width"));
    json_int_t height = json_integer_value(json_object_get(value, "height"));
    bool landscape = width >= height;

    (void)parent;
    if (width < 500 || height < (landscape ? 480 : 500))
        return gr_invalid(call, "", GR_PROBLEM_MIN, "at least 500x480, or 500x500 in portrait");
    if (width > (landscape ? 1920 : 1080) || height > (landscape ? 1080 : 1920))
        return gr_invalid(call, "", GR_PROBLEM_MAX, "at most 1920x1080, or 1080x1920 in portrait");
    return GR_OK;
}

static const char *const owns[] = {"/external-streams", NULL};

GR_PLUGIN("external_streams", .version = HMS_VERSION,
          .summary = "100ms rooms streamed to RTMP servers", .licence = HMS_LICENCE,
          .routes = routes, .owns = owns)
