/* The fields of a template. Only what is documented is checked; unknown members pass and are kept.
 */
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

/* Widths and heights have no bounds here: the service takes portrait pictures of 720 by 1280. */
static const struct gr_field video[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbps", .range = HMS_VIDEO_BIT_RATE,
             .default_doc = "256"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = HMS_VIDEO_CODECS),
    GR_FIELD("frameRate", GR_INT, "Frames a second", .range = HMS_FRAME_RATE, .default_doc = "25"),
    GR_FIELD("width", GR_INT, "Width in pixels", .default_doc = "320"),
    GR_FIELD("height", GR_INT, "Height in pixels", .default_doc = "180"),
    GR_END,
};

static const struct gr_field screen[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbps", .range = HMS_SCREEN_BIT_RATE,
             .default_doc = "1024"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = HMS_VIDEO_CODECS),
    GR_FIELD("frameRate", GR_INT, "Frames a second", .range = HMS_FRAME_RATE, .default_doc = "10"),
    GR_FIELD("width", GR_INT, "Width in pixels", .default_doc = "1280"),
    GR_FIELD("height", GR_INT, "Height in pixels", .default_doc = "720"),
    GR_END,
};

static const struct gr_field simulcast_layer[] = {
    GR_FIELD("rid", GR_STRING, "Full, half or quarter", .flags = GR_FIELD_REQUIRED,
             .values = HMS_LAYERS),
    GR_FIELD("scaleResolutionDownBy", GR_NUMBER, "Divisor of the resolution",
             .flags = GR_FIELD_REQUIRED, .range = GR_RANGE(1, 12)),
    GR_FIELD("maxFramerate", GR_INT, "Frames a second", .flags = GR_FIELD_REQUIRED,
             .range = HMS_FRAME_RATE),
    GR_FIELD("maxBitrate", GR_INT, "Bit rate in kbps", .range = HMS_LAYER_BIT_RATE,
             .default_doc = "0"),
    GR_END,
};

static const struct gr_field simulcast_track[] = {
    GR_FIELD("layers", GR_ARRAY, "Layers, from high to low", .range = HMS_LAYERS_MAX,
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
    GR_FIELD("packetLossThreshold", GR_INT, "Loss in percent", .range = HMS_PACKET_LOSS,
             .default_doc = "50"),
    GR_FIELD("degradeGracePeriodSeconds", GR_INT, "Seconds before a step down",
             .range = HMS_GRACE_SECONDS, .default_doc = "1"),
    GR_FIELD("recoverGracePeriodSeconds", GR_INT, "Seconds before a step up",
             .range = HMS_GRACE_SECONDS, .default_doc = "4"),
    GR_END,
};

static const struct gr_field subscribe[] = {
    GR_FIELD("subscribeToRoles", GR_ARRAY, "Roles whose tracks are received",
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("maxSubsBitRate", GR_INT, "Most kbps that are received"),
    GR_FIELD("subscribeDegradation", GR_OBJECT, "When quality is lowered", .fields = degradation),
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
    PERMISSION("pollRead", "May read polls", "false"),
    PERMISSION("pollWrite", "May write polls", "false"),
    PERMISSION("browserRecording", "May start recordings", "true"),
    PERMISSION("rtmpStreaming", "May start external streams", "true"),
    PERMISSION("hlsStreaming", "May start live streams", "true"),
    GR_END,
};

const struct gr_field sb_role_fields[] = {
    GR_FIELD("name", GR_STRING, "Name; another one than in the path renames the role"),
    GR_FIELD("publishParams", GR_OBJECT, "What the role publishes", .fields = publish),
    GR_FIELD("subscribeParams", GR_OBJECT, "What the role receives", .fields = subscribe),
    GR_FIELD("permissions", GR_OBJECT, "What the role may do", .fields = permissions),
    GR_FIELD("priority", GR_INT, "1 is the highest", .range = HMS_ROLE_PRIORITY),
    GR_FIELD("maxPeerCount", GR_INT, "Most peers at a time; 0: any number, -1: none",
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
    GR_FIELD("prefix", GR_STRING, "Begin of every path", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("options", GR_OBJECT, "Region and the like"),
    GR_FIELD("credentials", GR_OBJECT, "Credentials of the storage", .fields = credentials),
    GR_END,
};

static const struct gr_field recording[] = {
    GR_FIELD("enabled", GR_BOOL, "Older switch of SFU recordings"),
    GR_FIELD("upload", GR_OBJECT, "Own storage", .fields = upload),
    GR_END,
};

static const struct gr_field room_state[] = {
    GR_FIELD("messageInterval", GR_INT, "Seconds between messages", .range = HMS_MESSAGE_SECONDS,
             .multiple_of = 5),
    GR_FIELD("sendPeerList", GR_BOOL, "Send the list of peers"),
    GR_FIELD("stopRoomStateOnJoin", GR_BOOL, "Stop when the peer joins"),
    GR_FIELD("enabled", GR_BOOL, "Send the state to peers outside"),
    GR_END,
};

const struct gr_field sb_settings_fields[] = {
    GR_FIELD("region", GR_STRING, "Region of the media servers", .values = HMS_REGIONS),
    GR_FIELD("recording", GR_OBJECT, "Storage of recordings; null: the service's own",
             .fields = recording),
    GR_FIELD("roomState", GR_OBJECT, "State that is sent to peers outside", .fields = room_state),
    GR_FIELD("retry", GR_OBJECT, "Retries of clients"),
    GR_END,
};

static const struct gr_field browser_recording[] = {
    GR_FIELD("name", GR_STRING, "Name", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "Role of the recorder", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("width", GR_INT, "Width in pixels"),
    GR_FIELD("height", GR_INT, "Height in pixels"),
    GR_FIELD("maxDuration", GR_INT, "Seconds"),
    GR_FIELD("thumbnails", GR_OBJECT, "Thumbnails"),
    GR_FIELD("presignDuration", GR_INT, "Seconds"),
    GR_FIELD("autoStart", GR_BOOL, "Start with the session"),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds in an empty room"),
    GR_END,
};

static const struct gr_field rtmp_destination[] = {
    GR_FIELD("name", GR_STRING, "Name", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("width", GR_INT, "Width in pixels"),
    GR_FIELD("height", GR_INT, "Height in pixels"),
    GR_FIELD("maxDuration", GR_INT, "Seconds"),
    GR_FIELD("rtmpUrls", GR_ARRAY, "Where the stream goes", .range = HMS_ROLE_RTMP_URLS,
             .flags = GR_FIELD_SECRET, .items = GR_ITEM(GR_STRING)),
    GR_FIELD("recordingEnabled", GR_BOOL, "Record as well"),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds in an empty room"),
    GR_END,
};

static const struct gr_field layer[] = {LAYER_FIELDS, GR_END};

static const struct gr_field hls_recording[] = {
    GR_FIELD("hlsVod", GR_BOOL, "Keep the playlist"),
    GR_FIELD("singleFilePerLayer", GR_BOOL, "One file for each layer"),
    GR_FIELD("enableZipUpload", GR_BOOL, "Upload as one archive", .default_doc = "false"),
    GR_FIELD("layers", GR_ARRAY, "Layers that are kept",
             .items = GR_ITEM(GR_OBJECT, .fields = layer)),
    GR_FIELD("thumbnails", GR_OBJECT, "Thumbnails"),
    GR_FIELD("presignDuration", GR_INT, "Seconds"),
    GR_END,
};

static const struct gr_field hls_destination[] = {
    GR_FIELD("name", GR_STRING, "Name", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "Role of the viewer that is streamed"),
    GR_FIELD("maxDuration", GR_INT, "Seconds"),
    GR_FIELD("layers", GR_ARRAY, "Layers, from high to low",
             .items = GR_ITEM(GR_OBJECT, .fields = layer)),
    GR_FIELD("playlistType", GR_STRING, "Kind of playlist", .values = HMS_PLAYLIST_TYPES),
    GR_FIELD("numPlaylistSegments", GR_INT, "Segments in the playlist",
             .range = HMS_PLAYLIST_SEGMENTS, .default_doc = "5"),
    GR_FIELD("videoFrameRate", GR_INT, "Frames a second"),
    GR_FIELD("enableMetadataInsertion", GR_BOOL, "Allow timed metadata"),
    GR_FIELD("enableStaticUrl", GR_BOOL, "Same URL for each stream"),
    GR_FIELD("recording", GR_OBJECT, "Recording of the stream", .fields = hls_recording),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds in an empty room"),
    GR_END,
};

static const struct gr_field summary_section[] = {
    GR_FIELD("title", GR_STRING, "Title", .flags = GR_FIELD_REQUIRED, .range = HMS_SECTION_TITLE),
    GR_FIELD("format", GR_STRING, "Form", .flags = GR_FIELD_REQUIRED,
             .values = HMS_SECTION_FORMATS),
    GR_END,
};

const struct gr_field sb_summary_fields[] = {
    GR_FIELD("enabled", GR_BOOL, "Write a summary"),
    GR_FIELD("context", GR_STRING, "What the talk is about", .range = HMS_SUMMARY_CONTEXT),
    GR_FIELD("temperature", GR_NUMBER, "Freedom of the wording", .range = HMS_SUMMARY_TEMPERATURE,
             .default_doc = "0.5"),
    GR_FIELD("sections", GR_ARRAY, "Sections of the summary", .range = HMS_SUMMARY_SECTIONS,
             .items = GR_ITEM(GR_OBJECT, .fields = summary_section)),
    GR_END,
};

static const struct gr_field transcription[] = {
    GR_FIELD("name", GR_STRING, "Name", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "Role of the listener", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("modes", GR_ARRAY, "When to write",
             .items = GR_ITEM(GR_STRING, .values = HMS_TEMPLATE_TRANSCRIPTION_MODES)),
    GR_FIELD("outputModes", GR_ARRAY, "Formats",
             .items = GR_ITEM(GR_STRING, .values = HMS_TRANSCRIPT_FORMATS)),
    GR_FIELD("customVocabulary", GR_ARRAY, "Words to know", .items = GR_ITEM(GR_STRING)),
    GR_FIELD("summary", GR_OBJECT, "Summary", .fields = sb_summary_fields),
    GR_FIELD("translation", GR_OBJECT, "Translation of captions"),
    GR_END,
};

const struct gr_field sb_destinations_fields[] = {
    GR_FIELD("browserRecordings", GR_MAP, "Older recording configurations",
             .items = GR_ITEM(GR_OBJECT, .fields = browser_recording)),
    GR_FIELD("rtmpDestinations", GR_MAP, "External streams",
             .items = GR_ITEM(GR_OBJECT, .fields = rtmp_destination)),
    GR_FIELD("hlsDestinations", GR_MAP, "Live streams",
             .items = GR_ITEM(GR_OBJECT, .fields = hls_destination)),
    GR_FIELD("transcriptions", GR_MAP, "Transcriptions",
             .items = GR_ITEM(GR_OBJECT, .fields = transcription)),
    GR_END,
};

#define TEMPLATE_NAME                                                                              \
    GR_FIELD("name", GR_STRING, "Name; an existing one is overwritten",                            \
             .pattern = HMS_TEMPLATE_NAME)
#define TEMPLATE_PARTS                                                                             \
    GR_FIELD("destinations", GR_OBJECT, "Where streams and recordings go",                         \
             .fields = sb_destinations_fields),                                                    \
        GR_FIELD("plugins", GR_OBJECT, "Whiteboard and transcription")

const struct gr_field sb_template_create_fields[] = {
    TEMPLATE_NAME,
    GR_FIELD("roles", GR_MAP, "Roles by name",
             .items = GR_ITEM(GR_OBJECT, .fields = sb_role_fields)),
    GR_FIELD("settings", GR_OBJECT, "Settings", .fields = sb_settings_fields),
    TEMPLATE_PARTS,
    GR_END,
};

const struct gr_field sb_template_update_fields[] = {
    TEMPLATE_NAME,
    GR_FIELD("roles", GR_MAP, "Roles by name", .flags = GR_FIELD_REQUIRED,
             .items = GR_ITEM(GR_OBJECT, .fields = sb_role_fields)),
    GR_FIELD("settings", GR_OBJECT, "Settings", .flags = GR_FIELD_REQUIRED,
             .fields = sb_settings_fields),
    TEMPLATE_PARTS,
    GR_END,
};

static const struct gr_field browser_composite[] = {
    GR_FIELD("autoStart", GR_BOOL, "Start with the session", .default_doc = "false"),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds in an empty room"),
    GR_FIELD("width", GR_INT, "Width in pixels"),
    GR_FIELD("height", GR_INT, "Height in pixels"),
    GR_END,
};

static const struct gr_field enabled_only[] = {
    GR_FIELD("enabled", GR_BOOL, "Switch", .default_doc = "false"),
    GR_END,
};

static const struct gr_field composite[] = {
    GR_FIELD("browserComposite", GR_OBJECT, "Recording by a browser", .fields = browser_composite),
    GR_FIELD("customComposite", GR_OBJECT, "Recording by a compositor", .fields = enabled_only),
    GR_END,
};

const struct gr_field sb_template_recording_fields[] = {
    GR_FIELD("name", GR_STRING, "Name", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "A role of the template", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("maxDuration", GR_INT, "Seconds"),
    GR_FIELD("presignDuration", GR_INT, "Seconds"),
    GR_FIELD("thumbnails", GR_OBJECT, "Thumbnails"),
    GR_FIELD("compositeRecording", GR_OBJECT, "One file of the room", .fields = composite),
    GR_FIELD("trackRecording", GR_OBJECT, "One file for each track", .fields = enabled_only),
    GR_FIELD("streamRecording", GR_OBJECT, "One file for each stream", .fields = enabled_only),
    GR_END,
};
