/*
 * live_streams: rooms streamed as HLS for large audiences.
 */
#include "common.h"

static const struct gr_field stream_params[] = {
    HMS_PARAM_ID("streamId", "ID of the stream"),
    GR_END,
};

/* Bodies ----------------------------------------------------------------------------------- */

static const struct gr_field timed_metadata[] = {
    GR_FIELD("payload", GR_STRING, "Text to send to the players", .flags = GR_FIELD_REQUIRED,
             .range = GR_MAX(100)),
    GR_FIELD("duration", GR_INT, "Duration in seconds", .flags = GR_FIELD_REQUIRED),
    GR_END,
};

/* Answers ---------------------------------------------------------------------------------- */

static const struct gr_field playback[] = {
    GR_FIELD("url", GR_STRING, "URL of the playlist (m3u8) for players"),
    GR_END,
};

static const struct gr_field stream[] = {
    HMS_JOB_MEMBERS,
    GR_FIELD("playback", GR_OBJECT, "Where to watch the stream", .fields = playback),
    GR_FIELD("recording", GR_OBJECT, "What is recorded of the stream",
             .fields = hms_live_recording),
    HMS_JOB_ASSETS,
    GR_END,
};

#define STREAM_ANSWER(doc_)                                                                        \
    HMS_ANSWER(200, doc_, .schema = HMS_OBJECT(stream),                                            \
               .example = HMS_JSON({                                                               \
                   "id" : "66f2d5879b07c35d2a6f4488",                                              \
                   "room_id" : "66f1c0a2b4d93e5a7c118e01",                                         \
                   "session_id" : "66f2d41e9b07c35d2a6f4410",                                      \
                   "status" : "running",                                                           \
                   "destination" : "default",                                                      \
                   "playback" : {"url" : "https://cdn.example.org/hls/66f2d587/master.m3u8"},      \
                   "recording" : {"hls_vod" : true, "single_file_per_layer" : false},              \
                   "created_at" : "2025-03-04T17:25:00.6Z",                                        \
                   "started_at" : "2025-03-04T17:25:07.2Z",                                        \
                   "stopped_at" : null                                                             \
               }))

/* Routes ----------------------------------------------------------------------------------- */

static const struct gr_route routes[] = {
    HMS_GET("/live-streams", "live_streams.list", "List the live streams",
            .scope = "live_streams:read", .query = hms_job_query,
            .answers = HMS_ANSWER(200, "One page of streams", .schema = HMS_PAGE("data", stream)),
            .source = HMS_API("live-streams/list-all-live-streams")),
    HMS_GET("/live-streams/{streamId}", "live_streams.get", "Fetch one live stream",
            .scope = "live_streams:read", .params = stream_params,
            .answers = STREAM_ANSWER("The stream"),
            .source = HMS_API("live-streams/get-live-stream")),
    HMS_POST("/live-streams/room/{roomId}/start", "live_streams.start", "Stream a room as HLS",
             .scope = "live_streams:write", .flags = GR_ROUTE_IDEMPOTENCY_KEY,
             .params = hms_room_params, .body = GR_BODY(GR_OBJECT, .fields = hms_live_start),
             .answers = STREAM_ANSWER("The stream, starting"),
             .doc = "Not for rooms with RTMP ingest: their stream begins by itself.",
             .source = HMS_API("live-streams/start-live-stream-for-room")),
    HMS_ACTION("/live-streams/room/{roomId}/stop", "live_streams.stop_room",
               "Stop every live stream of a room", .scope = "live_streams:write",
               .params = hms_room_params,
               .answers =
                   HMS_ANSWER(200, "The streams, stopping; `error` names those that did not stop",
                              .schema = HMS_PAGE("data", stream)),
               .source = HMS_API("live-streams/stop-live-stream-for-room")),
    HMS_ACTION("/live-streams/{streamId}/stop", "live_streams.stop", "Stop one live stream",
               .scope = "live_streams:write", .params = stream_params,
               .answers = STREAM_ANSWER("The stream, stopping"),
               .source = HMS_API("live-streams/stop-live-stream-by-id")),
    GR_POST("/live-streams/{streamId}/metadata", "live_streams.metadata",
            "Insert timed metadata into a running stream",
            .alias = "/live-streams/{streamId}/timed-metadata", .scope = "live_streams:write",
            .params = stream_params,
            .body = GR_BODY(GR_OBJECT, .fields = timed_metadata, .flags = GR_FIELD_REQUIRED),
            .forward = GR_FORWARD(HMS_UPSTREAM, "/live-streams/{streamId}/timed-metadata"),
            .answers = STREAM_ANSWER("The stream"),
            .doc = "The HLS destination in the template must have enableMetadataInsertion.",
            .source = HMS_API("live-streams/send-timed-metadata")),
    HMS_ACTION("/live-streams/{streamId}/pause-recording", "live_streams.pause_recording",
               "Pause the recording of a stream", .scope = "live_streams:write",
               .params = stream_params,
               .answers = STREAM_ANSWER("The stream; its status stays running"),
               .source = HMS_API("live-streams/pause-live-stream-recording")),
    HMS_ACTION("/live-streams/{streamId}/resume-recording", "live_streams.resume_recording",
               "Resume the recording of a stream", .scope = "live_streams:write",
               .params = stream_params, .answers = STREAM_ANSWER("The stream"),
               .source = HMS_API("live-streams/resume-live-stream-recording")),
    GR_END,
};

static const char *const owns[] = {"/live-streams", NULL};

GR_PLUGIN("live_streams", .version = HMS_VERSION, .summary = "HLS streams of 100ms rooms",
          .licence = HMS_LICENCE, .routes = routes, .owns = owns)
