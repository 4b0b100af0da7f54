/* The fields of a template. Only documented members are checked; others are stored unchecked. */
#include "templates.h"

#define LAYER_FIELDS                                                                               \
    GR_FIELD("width", GR_INT, "Width in pixels"), GR_FIELD("height", GR_INT, "Height in pixels"),  \
        GR_FIELD("videoBitrate", GR_INT, "Bit rate of the video in kbps"),                         \
        GR_FIELD("audioBitrate", GR_INT, "Bit rate of the audio in kbps")

static const struct gr_field audio[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbps", .range = HMS_AUDIO_BIT_RATE,
             .default_doc = "32"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = HMS_AUDIO_CODECS),
    GR_END,
};

/* Widths and heights have no bounds, because the service accepts portrait pictures of 720x1280. */
static const struct gr_field video[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbps", .range = HMS_VIDEO_BIT_RATE,
             .default_doc = "256"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = HMS_VIDEO_CODECS),
    GR_FIELD("frameRate", GR_INT, "Frames per second", .range = HMS_FRAME_RATE,
             .default_doc = "25"),
    GR_FIELD("width", GR_INT, "Width in pixels", .default_doc = "320"),
    GR_FIELD("height", GR_INT, "Height in pixels", .default_doc = "180"),
    GR_END,
};

static const struct gr_field screen[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbps", .range = HMS_SCREEN_BIT_RATE,
             .default_doc = "1024"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = HMS_VIDEO_CODECS),
    GR_FIELD("frameRate", GR_INT, "Frames per second", .range = HMS_FRAME_RATE,
             .default_doc = "10"),
    GR_FIELD("width", GR_INT, "Width in pixels", .default_doc = "1280"),
    GR_FIELD("height", GR_INT, "Height in pixels", .default_doc = "720"),
    GR_END,
};

static const struct gr_field simulcast_layer[] = {
    GR_FIELD("rid", GR_STRING, "`f`, `h` or `q`: full, half, quarter", .flags = GR_FIELD_REQUIRED,
             .values = HMS_LAYERS),
    GR_FIELD("scaleResolutionDownBy", GR_NUMBER, "Factor by which the layer is smaller than `f`",
             .flags = GR_FIELD_REQUIRED, .range = GR_RANGE(1, 12)),
    GR_FIELD("maxFramerate", GR_INT, "Frames per second", .flags = GR_FIELD_REQUIRED,
             .range = HMS_FRAME_RATE),
    GR_FIELD("maxBitrate", GR_INT, "Bit rate in kbps", .range = HMS_LAYER_BIT_RATE,
             .default_doc = "0"),
    GR_END,
};

static const struct gr_field simulcast_track[] = {
    GR_FIELD("layers", GR_ARRAY, "Layers from large to small", .range = HMS_LAYERS_MAX,
             .items = GR_ITEM(GR_OBJECT, .fields = simulcast_layer)),
    GR_END,
};

static const struct gr_field publish[] = {
    GR_FIELD("allowed", GR_ARRAY, "What the role may publish",
             .items = GR_ITEM(GR_STRING, .values = HMS_PUBLISHED)),
    GR_FIELD("audio", GR_OBJECT, "Microphone", .fields = audio),
    GR_FIELD("video", GR_OBJECT, "Camera", .fields = video),
    GR_FIELD("screen", GR_OBJECT, "Screen share", .fields = screen),
    GR_FIELD("simulcast", GR_MAP, "Simulcast by kind of track",
             .items = GR_ITEM(GR_OBJECT, .fields = simulcast_track)),
    GR_END,
};

static const struct gr_field degradation[] = {
    GR_FIELD("packetLossThreshold", GR_INT, "Packet loss in percent that counts as bad",
             .range = HMS_PACKET_LOSS, .default_doc = "50"),
    GR_FIELD("degradeGracePeriodSeconds", GR_INT, "Seconds of bad quality before video stops",
             .range = HMS_GRACE_SECONDS, .default_doc = "1"),
    GR_FIELD("recoverGracePeriodSeconds", GR_INT, "Seconds of good quality before video resumes",
             .range = HMS_GRACE_SECONDS, .default_doc = "4"),
    GR_END,
};

static const struct gr_field subscribe[] = {
    GR_FIELD("subscribeToRoles", GR_ARRAY, "Roles from which this role receives media",
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("maxSubsBitRate", GR_INT, "Maximum bit rate in kbps"),
    GR_FIELD("subscribeDegradation", GR_OBJECT, "When to receive audio only",
             .fields = degradation),
    GR_END,
};

#define PERMISSION(name_, doc_, fallback_) GR_FIELD(name_, GR_BOOL, doc_, .default_doc = fallback_)

static const struct gr_field permissions[] = {
    PERMISSION("endRoom", "May end the session", "false"),
    PERMISSION("removeOthers", "May remove peers", "false"),
    PERMISSION("mute", "May mute peers", "false"),
    PERMISSION("unmute", "May ask peers to unmute", "false"),
    PERMISSION("changeRole", "May change roles", "false"),
    PERMISSION("sendRoomState", "May send the state of the room", "false"),
    PERMISSION("pollRead", "May see polls", "false"),
    PERMISSION("pollWrite", "May create polls", "false"),
    PERMISSION("browserRecording", "May start recordings", "true"),
    PERMISSION("rtmpStreaming", "May start external streams", "true"),
    PERMISSION("hlsStreaming", "May start live streams", "true"),
    GR_END,
};

const struct gr_field sb_role_fields[] = {
    GR_FIELD("name", GR_STRING, "Name of the role; a different name renames it"),
    GR_FIELD("publishParams", GR_OBJECT, "What the role publishes", .fields = publish),
    GR_FIELD("subscribeParams", GR_OBJECT, "What the role receives", .fields = subscribe),
    GR_FIELD("permissions", GR_OBJECT, "Permissions of the role", .fields = permissions),
    GR_FIELD("priority", GR_INT, "Priority; 1 is the highest", .range = HMS_ROLE_PRIORITY),
    GR_FIELD("maxPeerCount", GR_INT, "Maximum number of peers with the role; 0: no limit, -1: none",
             .range = HMS_ROLE_PEERS, .default_doc = "0"),
    GR_END,
};

static const struct gr_field credentials[] = {
    GR_FIELD("key", GR_STRING, "Access key of the storage", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("secretKey", GR_STRING, "Secret of the storage",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET),
    GR_END,
};

static const struct gr_field upload[] = {
    GR_FIELD("type", GR_STRING, "Kind of storage", .flags = GR_FIELD_REQUIRED,
             .values = HMS_STORAGE_TYPES),
    GR_FIELD("location", GR_STRING, "Bucket or container", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("prefix", GR_STRING, "Prefix of every path", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("options", GR_OBJECT, "Further options"),
    GR_FIELD("credentials", GR_OBJECT, "Credentials of the storage", .fields = credentials),
    GR_END,
};

static const struct gr_field recording[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether to make SFU recordings (deprecated)"),
    GR_FIELD("upload", GR_OBJECT, "Storage for the recordings", .fields = upload),
    GR_END,
};

static const struct gr_field room_state[] = {
    GR_FIELD("messageInterval", GR_INT, "Seconds between messages", .range = HMS_MESSAGE_SECONDS,
             .multiple_of = 5),
    GR_FIELD("sendPeerList", GR_BOOL, "Whether the list of peers is included"),
    GR_FIELD("stopRoomStateOnJoin", GR_BOOL, "Whether the messages end for a peer who has joined"),
    GR_FIELD("enabled", GR_BOOL, "Whether peers get the state of the room before they join"),
    GR_END,
};

const struct gr_field sb_settings_fields[] = {
    GR_FIELD("region", GR_STRING, "Region of the media servers", .values = HMS_REGIONS),
    GR_FIELD("recording", GR_OBJECT, "Storage of recordings; null: 100ms stores them",
             .fields = recording),
    GR_FIELD("roomState", GR_OBJECT, "State of the room for peers that have not joined",
             .fields = room_state),
    GR_FIELD("retry", GR_OBJECT, "Not documented by 100ms"),
    GR_END,
};

static const struct gr_field browser_recording[] = {
    GR_FIELD("name", GR_STRING, "Name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "Role of the recorder", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("width", GR_INT, "Width in pixels"),
    GR_FIELD("height", GR_INT, "Height in pixels"),
    GR_FIELD("maxDuration", GR_INT, "Maximum length in seconds"),
    GR_FIELD("thumbnails", GR_OBJECT, "Thumbnails"),
    GR_FIELD("presignDuration", GR_INT, "Validity of download URLs in seconds"),
    GR_FIELD("autoStart", GR_BOOL, "Whether to start with the session"),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds to continue in an empty room"),
    GR_END,
};

static const struct gr_field rtmp_destination[] = {
    GR_FIELD("name", GR_STRING, "Name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("width", GR_INT, "Width in pixels"),
    GR_FIELD("height", GR_INT, "Height in pixels"),
    GR_FIELD("maxDuration", GR_INT, "Maximum length in seconds"),
    GR_FIELD("rtmpUrls", GR_ARRAY, "Servers to stream to", .range = HMS_ROLE_RTMP_URLS,
             .flags = GR_FIELD_SECRET, .items = GR_ITEM(GR_STRING)),
    GR_FIELD("recordingEnabled", GR_BOOL, "Whether to record the stream as well"),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds to continue in an empty room"),
    GR_END,
};

static const struct gr_field layer[] = {LAYER_FIELDS, GR_END};

static const struct gr_field hls_recording[] = {
    GR_FIELD("hlsVod", GR_BOOL, "Whether to keep a video on demand"),
    GR_FIELD("singleFilePerLayer", GR_BOOL, "Whether to keep one file per layer"),
    GR_FIELD("enableZipUpload", GR_BOOL, "Whether to upload an archive", .default_doc = "false"),
    GR_FIELD("layers", GR_ARRAY, "Layers of the stream to keep",
             .items = GR_ITEM(GR_OBJECT, .fields = layer)),
    GR_FIELD("thumbnails", GR_OBJECT, "Thumbnails"),
    GR_FIELD("presignDuration", GR_INT, "Validity of download URLs in seconds"),
    GR_END,
};

static const struct gr_field hls_destination[] = {
    GR_FIELD("name", GR_STRING, "Name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "Role that the streamer joins with"),
    GR_FIELD("maxDuration", GR_INT, "Maximum length in seconds"),
    GR_FIELD("layers", GR_ARRAY, "Layers from large to small",
             .items = GR_ITEM(GR_OBJECT, .fields = layer)),
    GR_FIELD("playlistType", GR_STRING, "Kind of playlist", .values = HMS_PLAYLIST_TYPES),
    GR_FIELD("numPlaylistSegments", GR_INT, "Segments in a live playlist",
             .range = HMS_PLAYLIST_SEGMENTS, .default_doc = "5"),
    GR_FIELD("videoFrameRate", GR_INT, "Frames per second"),
    GR_FIELD("enableMetadataInsertion", GR_BOOL, "Whether timed metadata can be inserted"),
    GR_FIELD("enableStaticUrl", GR_BOOL, "Whether the URL of the playlist stays the same"),
    GR_FIELD("recording", GR_OBJECT, "Recording of the stream", .fields = hls_recording),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds to continue in an empty room"),
    GR_END,
};

static const struct gr_field summary_section[] = {
    GR_FIELD("title", GR_STRING, "Title of the section", .flags = GR_FIELD_REQUIRED,
             .range = HMS_SECTION_TITLE),
    GR_FIELD("format", GR_STRING, "Format of the section's text", .flags = GR_FIELD_REQUIRED,
             .values = HMS_SECTION_FORMATS),
    GR_END,
};

const struct gr_field sb_summary_fields[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether to write a summary"),
    GR_FIELD("context", GR_STRING, "Subject of the session, for the language model",
             .range = HMS_SUMMARY_CONTEXT),
    GR_FIELD("temperature", GR_NUMBER, "Temperature of the language model",
             .range = HMS_SUMMARY_TEMPERATURE, .default_doc = "0.5"),
    GR_FIELD("sections", GR_ARRAY, "Sections of the summary", .range = HMS_SUMMARY_SECTIONS,
             .items = GR_ITEM(GR_OBJECT, .fields = summary_section)),
    GR_END,
};

static const struct gr_field transcription[] = {
    GR_FIELD("name", GR_STRING, "Name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "Role that the listener joins with", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("modes", GR_ARRAY, "When to transcribe",
             .items = GR_ITEM(GR_STRING, .values = HMS_TEMPLATE_TRANSCRIPTION_MODES)),
    GR_FIELD("outputModes", GR_ARRAY, "Formats of the transcript",
             .items = GR_ITEM(GR_STRING, .values = HMS_TRANSCRIPT_FORMATS)),
    GR_FIELD("customVocabulary", GR_ARRAY, "Words that the transcriber should know",
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("summary", GR_OBJECT, "Summary of the transcript", .fields = sb_summary_fields),
    GR_FIELD("translation", GR_OBJECT, "Translation of captions"),
    GR_END,
};

const struct gr_field sb_destinations_fields[] = {
    GR_FIELD("browserRecordings", GR_MAP, "Deprecated recording configurations by name",
             .items = GR_ITEM(GR_OBJECT, .fields = browser_recording)),
    GR_FIELD("rtmpDestinations", GR_MAP, "External streams by name",
             .items = GR_ITEM(GR_OBJECT, .fields = rtmp_destination)),
    GR_FIELD("hlsDestinations", GR_MAP, "Live streams by name",
             .items = GR_ITEM(GR_OBJECT, .fields = hls_destination)),
    GR_FIELD("transcriptions", GR_MAP, "Transcriptions by name",
             .items = GR_ITEM(GR_OBJECT, .fields = transcription)),
    GR_END,
};

#define TEMPLATE_NAME                                                                              \
    GR_FIELD("name", GR_STRING, "Name; an existing template is replaced",                          \
             .pattern = HMS_TEMPLATE_NAME)
#define TEMPLATE_PARTS                                                                             \
    GR_FIELD("destinations", GR_OBJECT, "Streams, recordings and transcriptions",                  \
             .fields = sb_destinations_fields),                                                    \
        GR_FIELD("plugins", GR_OBJECT, "Whiteboard and transcription")

const struct gr_field sb_template_create_fields[] = {
    TEMPLATE_NAME,
    GR_FIELD("roles", GR_MAP, "Roles by name",
             .items = GR_ITEM(GR_OBJECT, .fields = sb_role_fields)),
    GR_FIELD("settings", GR_OBJECT, "Settings of the template", .fields = sb_settings_fields),
    TEMPLATE_PARTS,
    GR_END,
};

const struct gr_field sb_template_update_fields[] = {
    TEMPLATE_NAME,
    GR_FIELD("roles", GR_MAP, "Roles by name", .flags = GR_FIELD_REQUIRED,
             .items = GR_ITEM(GR_OBJECT, .fields = sb_role_fields)),
    GR_FIELD("settings", GR_OBJECT, "Settings of the template", .flags = GR_FIELD_REQUIRED,
             .fields = sb_settings_fields),
    TEMPLATE_PARTS,
    GR_END,
};

static const struct gr_field browser_composite[] = {
    GR_FIELD("autoStart", GR_BOOL, "Whether to start with the session", .default_doc = "false"),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds to continue in an empty room"),
    GR_FIELD("width", GR_INT, "Width in pixels"),
    GR_FIELD("height", GR_INT, "Height in pixels"),
    GR_END,
};

static const struct gr_field enabled_only[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether this recording is made", .default_doc = "false"),
    GR_END,
};

static const struct gr_field composite[] = {
    GR_FIELD("browserComposite", GR_OBJECT, "The room as a browser shows it",
             .fields = browser_composite),
    GR_FIELD("customComposite", GR_OBJECT, "A custom layout", .fields = enabled_only),
    GR_END,
};

const struct gr_field sb_template_recording_fields[] = {
    GR_FIELD("name", GR_STRING, "Name of the configuration", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "Role that the recorder joins with", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("maxDuration", GR_INT, "Maximum length in seconds"),
    GR_FIELD("presignDuration", GR_INT, "Validity of download URLs in seconds"),
    GR_FIELD("thumbnails", GR_OBJECT, "Thumbnails"),
    GR_FIELD("compositeRecording", GR_OBJECT, "The room as one picture", .fields = composite),
    GR_FIELD("trackRecording", GR_OBJECT, "Each track in a file of its own",
             .fields = enabled_only),
    GR_FIELD("streamRecording", GR_OBJECT, "Each stream of a peer in a file of its own",
             .fields = enabled_only),
    GR_END,
};
