/*
 * recordings: composite recordings of rooms. The group recording_assets has the files they produce.
 */
#include "common.h"

static const struct gr_field recording_params[] = {
    HMS_PARAM_ID("recordingId", "ID of the recording"),
    GR_END,
};

static const struct gr_field resolution[] = {
    GR_FIELD("width", GR_INT, "Size in pixels", .default_doc = "1280"),
    GR_FIELD("height", GR_INT, "Size in pixels", .default_doc = "720"),
    GR_END,
};

static const struct gr_field start[] = {
    HMS_MEETING_URL,
    HMS_DESTINATION,
    GR_FIELD("resolution", GR_OBJECT, "Size of the picture", .fields = resolution),
    GR_FIELD("audio_only", GR_BOOL, "Whether to record audio without video",
             .default_doc = "false"),
    GR_FIELD("transcription", GR_OBJECT,
             "Transcription settings, which replace those of the template",
             .fields = hms_transcription),
    GR_END,
};

#define RECORDING_MEMBERS                                                                          \
    HMS_JOB_MEMBERS, GR_FIELD("asset_types", GR_ARRAY, "Types of the assets to expect",            \
                              .items = GR_ITEM(GR_STRING))

static const struct gr_field listed_recording[] = {RECORDING_MEMBERS, GR_END};
static const struct gr_field recording[] = {RECORDING_MEMBERS, HMS_JOB_ASSETS, GR_END};

#define RECORDING_ANSWER(doc_)                                                                     \
    HMS_ANSWER(200, doc_, .schema = HMS_OBJECT(recording),                                         \
               .example = HMS_JSON({                                                               \
                   "id" : "66f2d4a09b07c35d2a6f4455",                                              \
                   "room_id" : "66f1c0a2b4d93e5a7c118e01",                                         \
                   "session_id" : "66f2d41e9b07c35d2a6f4410",                                      \
                   "status" : "running",                                                           \
                   "created_at" : "2025-03-04T17:15:00.21Z",                                       \
                   "started_at" : "2025-03-04T17:15:04.9Z",                                        \
                   "stopped_at" : null,                                                            \
                   "destination" : "default",                                                      \
                   "asset_types" : [ "room-composite", "chat" ],                                   \
                   "recording_assets" : null                                                       \
               }))

static const struct gr_route routes[] = {
    HMS_GET("/recordings", "recordings.list", "List the recordings, without their assets",
            .scope = "recordings:read", .query = hms_job_query,
            .answers = HMS_ANSWER(200, "One page of recordings",
                                  .schema = HMS_PAGE("data", listed_recording)),
            .source = HMS_API("recordings/list-all-recordings")),
    HMS_GET("/recordings/{recordingId}", "recordings.get", "Fetch one recording with its assets",
            .scope = "recordings:read", .params = recording_params,
            .answers = RECORDING_ANSWER("The recording"),
            .source = HMS_API("recordings/get-recording")),
    HMS_GET("/recordings/{recordingId}/config", "recordings.get_config",
            "Fetch the configuration of a recording", .scope = "recordings:read",
            .params = recording_params,
            .answers = HMS_ANSWER(200, "The answer of 100ms, unchanged", .schema = GR_BODY(GR_ANY)),
            .doc = "100ms does not document this route and may answer 404; see also "
                   "/templates/{templateId}/recordings.",
            .source = HMS_SEED " recording/recording.go"),
    HMS_POST("/recordings/room/{roomId}/start", "recordings.start", "Start recording a room",
             .scope = "recordings:write", .flags = GR_ROUTE_IDEMPOTENCY_KEY,
             .params = hms_room_params, .body = GR_BODY(GR_OBJECT, .fields = start),
             .answers = RECORDING_ANSWER("The recording, starting"),
             .source = HMS_API("recordings/start-recording-for-room")),
    HMS_ACTION("/recordings/room/{roomId}/stop", "recordings.stop_room",
               "Stop every recording of a room", .scope = "recordings:write",
               .params = hms_room_params,
               .answers = HMS_ANSWER(200, "The recordings, stopping",
                                     .schema = HMS_PAGE("data", recording)),
               .source = HMS_API("recordings/stop-recording-for-room")),
    HMS_ACTION("/recordings/{recordingId}/stop", "recordings.stop", "Stop one recording",
               .scope = "recordings:write", .params = recording_params,
               .answers = RECORDING_ANSWER("The recording, stopping"),
               .source = HMS_API("recordings/stop-recording-by-id")),
    HMS_ACTION("/recordings/room/{roomId}/pause", "recordings.pause",
               "Pause the recording of a room", .scope = "recordings:write",
               .params = hms_room_params,
               .answers = RECORDING_ANSWER("The recording; its status stays running"),
               .source = HMS_API("recordings/pause-recording-for-room")),
    HMS_ACTION("/recordings/room/{roomId}/resume", "recordings.resume",
               "Resume the recording of a room", .scope = "recordings:write",
               .params = hms_room_params, .answers = RECORDING_ANSWER("The recording"),
               .source = HMS_API("recordings/resume-recording-for-room")),
    GR_END,
};

static const char *const owns[] = {"/recordings", NULL};

GR_PLUGIN("recordings", .version = HMS_VERSION, .summary = "Recordings of 100ms rooms",
          .licence = HMS_LICENCE, .routes = routes, .owns = owns)
