/*
 * templates: roles, settings and destinations that rooms are made from.
 *
 * Writing a template replaces it. Bodies go through byte for byte, so one that was read, changed in
 * one place and written back keeps what no row here knows.
 */
#include "common.h"

#include <jansson.h>

static gr_check_fn check_simulcast, check_hls_layer;

/* Path ------------------------------------------------------------------------------------- */

#define TEMPLATE HMS_PARAM_ID("templateId", "id of the template")

static const struct gr_field template_params[] = {TEMPLATE, GR_END};

static const struct gr_field role_params[] = {
    TEMPLATE,
    HMS_PARAM_ROLE("roleName", .binds = NULL),
    GR_END,
};

/* Roles ------------------------------------------------------------------------------------ */

static const char *const published_kinds[] = {"audio", "video", "screen", "simulcast", NULL};
static const char *const audio_codecs[] = {"opus", NULL};
static const char *const video_codecs[] = {"vp8", NULL};
static const char *const layer_names[] = {"f", "h", "q", NULL};

static const struct gr_field audio[] = {
    GR_FIELD("bitRate", GR_INT, "kbit/s", .range = GR_RANGE(16, 128), .fallback = "32"),
    GR_FIELD("codec", GR_STRING, "codec", .values = audio_codecs),
    GR_END,
};

static const struct gr_field video[] = {
    GR_FIELD("bitRate", GR_INT, "kbit/s", .range = GR_RANGE(30, 2000), .fallback = "256"),
    GR_FIELD("codec", GR_STRING, "codec", .values = video_codecs),
    GR_FIELD("frameRate", GR_INT, "frames a second", .range = GR_RANGE(1, 30), .fallback = "25"),
    GR_FIELD("width", GR_INT, "pixels", .range = GR_RANGE(50, 1920), .fallback = "320"),
    GR_FIELD("height", GR_INT, "pixels", .range = GR_RANGE(50, 1080), .fallback = "180"),
    GR_END,
};

static const struct gr_field screen[] = {
    GR_FIELD("bitRate", GR_INT, "kbit/s", .range = GR_MIN(500), .fallback = "1024"),
    GR_FIELD("codec", GR_STRING, "codec", .values = video_codecs),
    GR_FIELD("frameRate", GR_INT, "frames a second", .range = GR_RANGE(1, 30), .fallback = "10"),
    GR_FIELD("width", GR_INT, "pixels", .range = GR_RANGE(480, 1920), .fallback = "1280"),
    GR_FIELD("height", GR_INT, "pixels", .range = GR_RANGE(270, 1080), .fallback = "720"),
    GR_END,
};

static const struct gr_field simulcast_layer[] = {
    GR_FIELD("rid", GR_STRING, "f, h or q: full, half, quarter", .flags = GR_REQUIRED,
             .values = layer_names),
    GR_FIELD("scaleResolutionDownBy", GR_NUMBER, "how much smaller than f", .flags = GR_REQUIRED,
             .range = GR_RANGE(1.0, 12.0)),
    GR_FIELD("maxFramerate", GR_INT, "frames a second", .flags = GR_REQUIRED,
             .range = GR_RANGE(1, 30)),
    GR_FIELD("maxBitrate", GR_INT, "kbit/s", .range = GR_RANGE(0, 2000), .fallback = "0"),
    GR_END,
};

static const struct gr_field simulcast[] = {
    GR_FIELD("layers", GR_ARRAY, "layers from large to small", .range = GR_MAX(3),
             .items = GR_ITEM(GR_OBJECT, .fields = simulcast_layer), .check = check_simulcast),
    GR_END,
};

static const struct gr_field publish[] = {
    GR_FIELD("allowed", GR_ARRAY, "what the role may publish",
             .items = GR_ITEM(GR_STRING, .values = published_kinds)),
    GR_FIELD("audio", GR_OBJECT, "microphone", .fields = audio),
    GR_FIELD("video", GR_OBJECT, "camera", .fields = video),
    GR_FIELD("screen", GR_OBJECT, "shared screen", .fields = screen),
    GR_FIELD("simulcast", GR_MAP, "layers of video and of screen",
             .items = GR_ITEM(GR_OBJECT, .fields = simulcast)),
    GR_END,
};

static const struct gr_field degradation[] = {
    GR_FIELD("packetLossThreshold", GR_INT, "loss in percent that counts as bad",
             .range = GR_RANGE(1, 100), .fallback = "50"),
    GR_FIELD("degradeGracePeriodSeconds", GR_INT, "how long it is bad before video stops",
             .range = GR_RANGE(1, 10), .fallback = "1"),
    GR_FIELD("recoverGracePeriodSeconds", GR_INT, "how long it is good before video returns",
             .range = GR_RANGE(1, 10), .fallback = "4"),
    GR_END,
};

static const struct gr_field subscribe[] = {
    GR_FIELD("subscribeToRoles", GR_ARRAY, "roles whose media the role receives",
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("maxSubsBitRate", GR_INT, "kbit/s"),
    GR_FIELD("subscribeDegradation", GR_OBJECT, "when to receive audio only",
             .fields = degradation),
    GR_END,
};

static const struct gr_field permissions[] = {
    GR_FIELD("endRoom", GR_BOOL, "end the session for all", .fallback = "false"),
    GR_FIELD("removeOthers", GR_BOOL, "remove peers", .fallback = "false"),
    GR_FIELD("mute", GR_BOOL, "mute others", .fallback = "false"),
    GR_FIELD("unmute", GR_BOOL, "ask others to unmute", .fallback = "false"),
    GR_FIELD("changeRole", GR_BOOL, "change roles of others", .fallback = "false"),
    GR_FIELD("sendRoomState", GR_BOOL, "send the state of the room", .fallback = "false"),
    GR_FIELD("pollRead", GR_BOOL, "see polls", .fallback = "false"),
    GR_FIELD("pollWrite", GR_BOOL, "make polls", .fallback = "false"),
    GR_FIELD("browserRecording", GR_BOOL, "start and stop recordings", .fallback = "true"),
    GR_FIELD("rtmpStreaming", GR_BOOL, "start and stop external streams", .fallback = "true"),
    GR_FIELD("hlsStreaming", GR_BOOL, "start and stop live streams", .fallback = "true"),
    GR_END,
};

static const struct gr_field role[] = {
    GR_FIELD("name", GR_STRING, "name of the role; another one renames it"),
    GR_FIELD("publishParams", GR_OBJECT, "what the role sends", .fields = publish),
    GR_FIELD("subscribeParams", GR_OBJECT, "what the role receives", .fields = subscribe),
    GR_FIELD("permissions", GR_OBJECT, "what the role may do", .fields = permissions),
    GR_FIELD("priority", GR_INT, "1 is heard first", .range = GR_RANGE(1, 5)),
    GR_FIELD("maxPeerCount", GR_INT, "peers of the role at a time; 0 any number, -1 none",
             .range = GR_MIN(-1), .fallback = "0"),
    GR_END,
};

/* Settings --------------------------------------------------------------------------------- */

static const char *const regions[] = {"in", "us", "eu", "auto", NULL};

/* Templates say secretKey where rooms say secret. */
static const struct gr_field storage_credentials[] = {
    GR_FIELD("key", GR_STRING, "access key of the bucket", .flags = GR_REQUIRED),
    GR_FIELD("secretKey", GR_STRING, "its secret", .flags = GR_REQUIRED | GR_SECRET),
    GR_END,
};

static const struct gr_field storage[] = {
    GR_FIELD("type", GR_STRING, "kind of storage", .flags = GR_REQUIRED,
             .values = hms_storage_types),
    GR_FIELD("location", GR_STRING, "bucket or container", .flags = GR_REQUIRED),
    GR_FIELD("prefix", GR_STRING, "folder inside the bucket", .flags = GR_REQUIRED),
    GR_FIELD("options", GR_OBJECT, "further options", .fields = hms_storage_options),
    GR_FIELD("credentials", GR_OBJECT, "how 100ms may write there", .fields = storage_credentials),
    GR_END,
};

static const struct gr_field settings_recording[] = {
    GR_FIELD("enabled", GR_BOOL, "record every session (SFU recording, out of use)"),
    GR_FIELD("upload", GR_OBJECT, "own storage; without it 100ms stores", .fields = storage),
    GR_END,
};

static const struct gr_field room_state[] = {
    GR_FIELD("enabled", GR_BOOL, "whether peers get the state of the room"),
    GR_FIELD("messageInterval", GR_INT, "seconds between two messages", .range = GR_RANGE(5, 3600),
             .multiple_of = 5),
    GR_FIELD("sendPeerList", GR_BOOL, "with the list of peers"),
    GR_FIELD("stopRoomStateOnJoin", GR_BOOL, "no more once a peer has joined"),
    GR_END,
};

static const struct gr_field settings[] = {
    GR_FIELD("region", GR_STRING, "where the media runs", .values = regions),
    GR_FIELD("recording", GR_OBJECT, "recording, and where it is stored",
             .fields = settings_recording),
    GR_FIELD("roomState", GR_OBJECT, "state of the room for peers that have not joined",
             .fields = room_state),
    GR_FIELD("retry", GR_OBJECT, "not documented; write back what was read"),
    GR_END,
};

/* Destinations ----------------------------------------------------------------------------- */

static const struct gr_field thumbnails[] = {
    GR_FIELD("enabled", GR_BOOL, "whether they are made"),
    GR_FIELD("width", GR_INT, "pixels"),
    GR_FIELD("height", GR_INT, "pixels"),
    GR_FIELD("offsets", GR_ARRAY, "where in the recording, in seconds", .items = GR_ITEM(GR_INT)),
    GR_FIELD("fps", GR_INT, "how many a second"),
    GR_END,
};

static const struct gr_field browser_recording[] = {
    GR_FIELD("name", GR_STRING, "name of the destination", .flags = GR_REQUIRED),
    GR_FIELD("role", GR_STRING, "role that the recorder joins with", .flags = GR_REQUIRED),
    GR_FIELD("width", GR_INT, "pixels"),
    GR_FIELD("height", GR_INT, "pixels"),
    GR_FIELD("maxDuration", GR_INT, "longest recording in seconds"),
    GR_FIELD("thumbnails", GR_OBJECT, "still pictures", .fields = thumbnails),
    GR_FIELD("presignDuration", GR_INT, "how long URLs work, in seconds"),
    GR_FIELD("autoStart", GR_BOOL, "begin with the session"),
    GR_FIELD("autoStopTimeout", GR_INT, "seconds after the last peer left"),
    GR_END,
};

static const struct gr_field rtmp_destination[] = {
    GR_FIELD("name", GR_STRING, "name of the destination", .flags = GR_REQUIRED),
    GR_FIELD("width", GR_INT, "pixels"),
    GR_FIELD("height", GR_INT, "pixels"),
    GR_FIELD("maxDuration", GR_INT, "longest stream in seconds"),
    GR_FIELD("rtmpUrls", GR_ARRAY, "servers to stream to, each with its stream key",
             .flags = GR_SECRET, .range = GR_MAX(3), .items = GR_ITEM(GR_STRING)),
    GR_FIELD("recordingEnabled", GR_BOOL, "record it as well"),
    GR_FIELD("autoStopTimeout", GR_INT, "seconds after the last peer left"),
    GR_END,
};

static const struct gr_field hls_layer[] = {
    GR_FIELD("width", GR_INT, "pixels, even", .range = GR_RANGE(144, 1920), .multiple_of = 2),
    GR_FIELD("height", GR_INT, "pixels, even", .range = GR_RANGE(144, 1920), .multiple_of = 2),
    GR_FIELD("videoBitrate", GR_INT, "kbit/s"),
    GR_FIELD("audioBitrate", GR_INT, "kbit/s"),
    GR_END,
};

#define HLS_LAYERS(doc_)                                                                           \
    GR_FIELD("layers", GR_ARRAY, doc_,                                                             \
             .items = GR_ITEM(GR_OBJECT, .fields = hls_layer, .check = check_hls_layer))

static const struct gr_field hls_recording[] = {
    GR_FIELD("hlsVod", GR_BOOL, "leave a video on demand"),
    GR_FIELD("singleFilePerLayer", GR_BOOL, "leave one file per layer"),
    GR_FIELD("enableZipUpload", GR_BOOL, "leave an archive; needs own storage",
             .fallback = "false"),
    HLS_LAYERS("which of the stream's layers to keep"),
    GR_FIELD("thumbnails", GR_OBJECT, "still pictures", .fields = thumbnails),
    GR_FIELD("presignDuration", GR_INT, "how long URLs work, in seconds"),
    GR_END,
};

static const char *const playlist_types[] = {"event", "live", NULL};

static const struct gr_field hls_destination[] = {
    GR_FIELD("name", GR_STRING, "name of the destination", .flags = GR_REQUIRED),
    GR_FIELD("role", GR_STRING, "role that the streamer joins with"),
    GR_FIELD("maxDuration", GR_INT, "longest stream in seconds"),
    HLS_LAYERS("layers from large to small"),
    GR_FIELD("playlistType", GR_STRING, "event keeps all segments", .values = playlist_types),
    GR_FIELD("numPlaylistSegments", GR_INT, "segments in a live playlist",
             .range = GR_RANGE(3, 150), .fallback = "5"),
    GR_FIELD("videoFrameRate", GR_INT, "frames a second"),
    GR_FIELD("enableMetadataInsertion", GR_BOOL, "allow timed metadata"),
    GR_FIELD("enableStaticUrl", GR_BOOL, "the playlist's URL stays the same"),
    GR_FIELD("recording", GR_OBJECT, "what is kept of it", .fields = hls_recording),
    GR_FIELD("autoStopTimeout", GR_INT, "seconds after the last peer left"),
    GR_END,
};

static const char *const transcription_modes[] = {"recorded", "live", "caption", NULL};

static const struct gr_field translation[] = {
    GR_FIELD("enabled", GR_BOOL, "whether captions are translated"),
    GR_FIELD("roleLanguages", GR_MAP, "language code by role", .items = GR_ITEM(GR_STRING)),
    GR_END,
};

static const struct gr_field transcription[] = {
    GR_FIELD("name", GR_STRING, "name of the destination", .flags = GR_REQUIRED),
    GR_FIELD("role", GR_STRING, "role that the listener joins with", .flags = GR_REQUIRED),
    GR_FIELD("modes", GR_ARRAY, "what is transcribed",
             .items = GR_ITEM(GR_STRING, .values = transcription_modes)),
    GR_FIELD("outputModes", GR_ARRAY, "formats of the transcript",
             .items = GR_ITEM(GR_STRING, .values = hms_transcript_formats)),
    GR_FIELD("customVocabulary", GR_ARRAY, "words to listen for", .items = GR_ITEM(GR_STRING)),
    GR_FIELD("summary", GR_OBJECT, "summary made from the transcript", .fields = hms_summary),
    GR_FIELD("translation", GR_OBJECT, "of captions", .fields = translation),
    GR_END,
};

#define BY_NAME(rows_) .items = GR_ITEM(GR_OBJECT, .fields = (rows_))

static const struct gr_field destinations[] = {
    GR_FIELD("rtmpDestinations", GR_MAP, "external streams, by name", BY_NAME(rtmp_destination)),
    GR_FIELD("hlsDestinations", GR_MAP, "live streams, by name", BY_NAME(hls_destination)),
    GR_FIELD("transcriptions", GR_MAP, "transcriptions, by name", BY_NAME(transcription)),
    GR_FIELD("browserRecordings", GR_MAP, "out of use: see /templates/{templateId}/recordings",
             BY_NAME(browser_recording)),
    GR_END,
};

/* Plugins ---------------------------------------------------------------------------------- */

static const char *const caption_modes[] = {"caption", NULL};

static const struct gr_field whiteboard_permissions[] = {
    GR_FIELD("admin", GR_ARRAY, "roles that control it", .items = GR_ITEM(GR_STRING)),
    GR_FIELD("writer", GR_ARRAY, "roles that draw", .items = GR_ITEM(GR_STRING)),
    GR_FIELD("reader", GR_ARRAY, "roles that look on", .items = GR_ITEM(GR_STRING)),
    GR_END,
};

static const struct gr_field whiteboard[] = {
    GR_FIELD("permissions", GR_OBJECT, "who may do what", .fields = whiteboard_permissions),
    GR_END,
};

static const struct gr_field caption_permissions[] = {
    GR_FIELD("admin", GR_ARRAY, "roles that control them", .items = GR_ITEM(GR_STRING)),
    GR_END,
};

static const struct gr_field captions[] = {
    GR_FIELD("permissions", GR_OBJECT, "who may do what", .fields = caption_permissions),
    GR_FIELD("mode", GR_STRING, "what is transcribed", .values = caption_modes),
    GR_END,
};

static const struct gr_field plugins[] = {
    GR_FIELD("whiteboard", GR_OBJECT, "the whiteboard", .fields = whiteboard),
    GR_FIELD("transcriptions", GR_OBJECT, "live captions", .fields = captions),
    GR_END,
};

/* Templates -------------------------------------------------------------------------------- */

#define ROLES(flags_)                                                                              \
    GR_FIELD("roles", GR_MAP, "the roles, by name; {} takes defaults", .flags = (flags_),          \
             BY_NAME(role))

#define SETTINGS(flags_)                                                                           \
    GR_FIELD("settings", GR_OBJECT, "region, recording, state of the room", .flags = (flags_),     \
             .fields = settings)

#define TEMPLATE_MEMBERS                                                                           \
    GR_FIELD("destinations", GR_OBJECT, "streams, recordings, transcriptions",                     \
             .fields = destinations),                                                              \
        GR_FIELD("plugins", GR_OBJECT, "whiteboard and captions", .fields = plugins)

static const struct gr_field new_template[] = {
    GR_FIELD("name", GR_STRING, "unique name; made up when absent", .pattern = "[A-Za-z0-9 .:_-]+"),
    ROLES(0),
    SETTINGS(0),
    TEMPLATE_MEMBERS,
    GR_END,
};

static const struct gr_field changed_template[] = {
    GR_FIELD("name", GR_STRING, "new name; the old one stays when absent"),
    ROLES(GR_REQUIRED),
    SETTINGS(GR_REQUIRED),
    TEMPLATE_MEMBERS,
    GR_END,
};

static const struct gr_field template[] = {
    GR_FIELD("id", GR_STRING, "id of the template"),
    GR_FIELD("name", GR_STRING, "name of the template"),
    GR_FIELD("customerId", GR_STRING, "id of the workspace's owner"),
    GR_FIELD("appId", GR_STRING, "id of the workspace"),
    GR_FIELD("default", GR_BOOL, "whether rooms without a template take it"),
    ROLES(0),
    SETTINGS(0),
    TEMPLATE_MEMBERS,
    GR_FIELD("createdAt", GR_TIME, "when it was made"),
    GR_FIELD("updatedAt", GR_TIME, "when it was changed last"),
    GR_END,
};

/* Recordings of a template: a list with exactly one configuration. -------------------------- */

static const struct gr_field browser_composite[] = {
    GR_FIELD("autoStart", GR_BOOL, "begin with the session", .fallback = "false"),
    GR_FIELD("autoStopTimeout", GR_INT, "seconds after the last peer left"),
    GR_FIELD("width", GR_INT, "pixels"),
    GR_FIELD("height", GR_INT, "pixels"),
    GR_END,
};

static const struct gr_field custom_composite[] = {
    GR_FIELD("enabled", GR_BOOL, "whether it is made", .fallback = "false"),
    GR_END,
};

static const struct gr_field composite[] = {
    GR_FIELD("browserComposite", GR_OBJECT, "as a browser sees the room",
             .fields = browser_composite),
    GR_FIELD("customComposite", GR_OBJECT, "composed otherwise", .fields = custom_composite),
    GR_END,
};

static const struct gr_field track_recording[] = {
    GR_FIELD("enabled", GR_BOOL, "whether each track is kept", .fallback = "false"),
    GR_END,
};

static const struct gr_field stream_recording[] = {
    GR_FIELD("enabled", GR_BOOL, "whether each stream is kept", .fallback = "false"),
    GR_FIELD("width", GR_INT, "pixels"),
    GR_FIELD("height", GR_INT, "pixels"),
    GR_END,
};

static const struct gr_field recording_config[] = {
    GR_FIELD("name", GR_STRING, "name of the configuration", .flags = GR_REQUIRED),
    GR_FIELD("role", GR_STRING, "role that the recorder joins with", .flags = GR_REQUIRED),
    GR_FIELD("maxDuration", GR_INT, "longest recording in seconds"),
    GR_FIELD("presignDuration", GR_INT, "how long URLs work, in seconds"),
    GR_FIELD("thumbnails", GR_OBJECT, "still pictures", .fields = thumbnails),
    GR_FIELD("compositeRecording", GR_OBJECT, "the room as one picture", .fields = composite),
    GR_FIELD("trackRecording", GR_OBJECT, "each track alone", .fields = track_recording),
    GR_FIELD("streamRecording", GR_OBJECT, "each peer alone", .fields = stream_recording),
    GR_END,
};

#define RECORDING_CONFIGS GR_ITEM(GR_OBJECT, .flags = GR_REQUIRED, .fields = recording_config)

/* Routes ----------------------------------------------------------------------------------- */

static const struct gr_route routes[] = {
    GR_GET("/templates", "templates.list", "List the templates", .scope = "templates:read",
           .query = hms_page_query, .forward = GR_FORWARD(HMS_UPSTREAM, "/templates"),
           .answers =
               HMS_ANSWER(200, "one page of templates", .schema = HMS_PAGE("data", template)),
           .source = HMS_API("policy/list-templates")),
    GR_GET("/templates/{templateId}", "templates.get", "Fetch one template",
           .scope = "templates:read", .params = template_params,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/templates/{templateId}"),
           .answers = HMS_ANSWER(200, "the template", .schema = HMS_OBJECT(template)),
           .source = HMS_API("policy/retrieve-a-template")),
    GR_POST("/templates", "templates.create", "Create a template, or replace the one of that name",
            .scope = "templates:write", .body = GR_BODY(GR_OBJECT, .fields = new_template),
            .forward = GR_FORWARD(HMS_UPSTREAM, "/templates"),
            .answers = HMS_ANSWER(200, "the template", .schema = HMS_OBJECT(template)),
            .doc = "Without a name every call makes another template.",
            .source = HMS_API("policy/create-template-via-api")),
    GR_POST("/templates/{templateId}", "templates.update", "Replace a template",
            .scope = "templates:write", .params = template_params,
            .body = GR_BODY(GR_OBJECT, .fields = changed_template, .flags = GR_REQUIRED),
            .forward = GR_FORWARD(HMS_UPSTREAM, "/templates/{templateId}"),
            .answers = HMS_ANSWER(200, "the template", .schema = HMS_OBJECT(template)),
            .doc =
                "Read it, change it and write it back whole. 100ms does not notice when somebody "
                "else wrote in between.",
            .source = HMS_API("policy/update-a-template")),
    GR_GET("/templates/{templateId}/roles/{roleName}", "templates.role_get", "Fetch one role",
           .scope = "templates:read", .params = role_params,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/templates/{templateId}/roles/{roleName}"),
           .answers = HMS_ANSWER(200, "the role", .schema = HMS_OBJECT(role)),
           .source = HMS_API("policy/retrieve-a-role")),
    GR_POST("/templates/{templateId}/roles/{roleName}", "templates.role_put",
            "Create or change a role", .scope = "templates:write", .params = role_params,
            .body = GR_BODY(GR_OBJECT, .fields = role, .flags = GR_REQUIRED),
            .forward = GR_FORWARD(HMS_UPSTREAM, "/templates/{templateId}/roles/{roleName}"),
            .answers = HMS_ANSWER(200, "the role", .schema = HMS_OBJECT(role)),
            .source = HMS_API("policy/create-update-role")),
    GR_DELETE("/templates/{templateId}/roles/{roleName}", "templates.role_delete", "Delete a role",
              .scope = "templates:write", .params = role_params,
              .forward = GR_FORWARD(HMS_UPSTREAM, "/templates/{templateId}/roles/{roleName}",
                                    .flags = GR_NO_BODY),
              .answers = HMS_ANSWER(204, "it is gone", .schema = NULL),
              .source = HMS_API("policy/delete-a-role")),
    GR_GET("/templates/{templateId}/settings", "templates.settings_get",
           "Fetch the settings of a template", .scope = "templates:read", .params = template_params,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/templates/{templateId}/settings"),
           .answers = HMS_ANSWER(200, "the settings", .schema = HMS_OBJECT(settings)),
           .source = HMS_API("policy/retrieve-settings")),
    GR_POST("/templates/{templateId}/settings", "templates.settings_update",
            "Change the settings of a template", .scope = "templates:write",
            .params = template_params,
            .body = GR_BODY(GR_OBJECT, .fields = settings, .flags = GR_REQUIRED),
            .forward = GR_FORWARD(HMS_UPSTREAM, "/templates/{templateId}/settings"),
            .answers = HMS_ANSWER(200, "the settings", .schema = HMS_OBJECT(settings)),
            .doc = "100ms does not say whether absent members stay: send them all.",
            .source = HMS_API("policy/update-settings")),
    GR_GET("/templates/{templateId}/destinations", "templates.destinations_get",
           "Fetch the destinations of a template", .scope = "templates:read",
           .params = template_params,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/templates/{templateId}/destinations"),
           .answers = HMS_ANSWER(200, "the destinations", .schema = HMS_OBJECT(destinations)),
           .source = HMS_API("policy/retrieve-destinations")),
    GR_POST("/templates/{templateId}/destinations", "templates.destinations_update",
            "Change the destinations of a template", .scope = "templates:write",
            .params = template_params,
            .body = GR_BODY(GR_OBJECT, .fields = destinations, .flags = GR_REQUIRED),
            .forward = GR_FORWARD(HMS_UPSTREAM, "/templates/{templateId}/destinations"),
            .answers = HMS_ANSWER(200, "the destinations", .schema = HMS_OBJECT(destinations)),
            .doc = "100ms does not say whether absent members stay: send them all.",
            .source = HMS_API("policy/update-destinations")),
    GR_GET("/templates/{templateId}/recordings", "templates.recordings_get",
           "Fetch the recording configuration of a template", .scope = "templates:read",
           .params = template_params,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/templates/{templateId}/recordings"),
           .answers = HMS_ANSWER(200, "a list of one; flags that are false are left out",
                                 .schema = GR_BODY(GR_ARRAY, .items = RECORDING_CONFIGS)),
           .source = HMS_API("policy/configure-recordings")),
    GR_POST("/templates/{templateId}/recordings", "templates.recordings_update",
            "Set the recording configuration of a template", .scope = "templates:write",
            .params = template_params,
            .body = GR_BODY(GR_ARRAY, .flags = GR_REQUIRED, .range = GR_RANGE(1, 1),
                            .items = RECORDING_CONFIGS),
            .forward = GR_FORWARD(HMS_UPSTREAM, "/templates/{templateId}/recordings"),
            .answers = HMS_ANSWER(200, "a list of one",
                                  .schema = GR_BODY(GR_ARRAY, .items = RECORDING_CONFIGS)),
            .source = HMS_API("policy/configure-recordings")),
    GR_END,
};

/* Checks ----------------------------------------------------------------------------------- */

/* Layers go f, h, q; the first is f at full size, each further one is smaller. */
static enum gr_err check_simulcast(struct gr_call *call, const json_t *parent, const json_t *value)
{
    static const char order[] = "fhq";
    const char *last_rid = NULL;
    double last_scale = 0;

    (void)parent;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *layer = json_array_get(value, i);
        const char *name = json_string_value(json_object_get(layer, "rid"));
        const char *rid = name ? strchr(order, name[0]) : NULL;
        double scale = json_number_value(json_object_get(layer, "scaleResolutionDownBy"));

        if (!rid || (last_rid ? rid <= last_rid : rid != order))
            return gr_invalid(call, "", GR_PROBLEM_VALUE,
                              "rids in the order f, h, q, each once, f first");
        if (last_rid ? scale <= last_scale : scale > 1)
            return gr_invalid(call, "", GR_PROBLEM_VALUE,
                              "scaleResolutionDownBy of 1 in the first layer, then growing");
        last_rid = rid;
        last_scale = scale;
    }
    return GR_OK;
}

/* Rows bound either side by 144 and 1920; together they bound the smaller and the larger one. */
static enum gr_err check_hls_layer(struct gr_call *call, const json_t *parent, const json_t *value)
{
    const json_t *w = json_object_get(value, "width");
    const json_t *h = json_object_get(value, "height");
    bool wide = json_integer_value(w) >= json_integer_value(h);
    json_int_t larger = json_integer_value(wide ? w : h);
    json_int_t smaller = json_integer_value(wide ? h : w);

    (void)parent;
    if (!json_is_integer(w) || !json_is_integer(h))
        return GR_OK;
    if (larger < 192)
        return gr_invalid(call, wide ? "width" : "height", GR_PROBLEM_MIN,
                          "a larger side of 192 to 1920");
    if (smaller > 1080)
        return gr_invalid(call, wide ? "height" : "width", GR_PROBLEM_MAX,
                          "a smaller side of 144 to 1080");
    return GR_OK;
}

static const char *const owns[] = {"/templates", NULL};

GR_PLUGIN(.name = "templates", .version = HMS_VERSION,
          .summary = "Templates of 100ms: roles, settings, destinations", .licence = HMS_LICENCE,
          .routes = routes, .owns = owns)
