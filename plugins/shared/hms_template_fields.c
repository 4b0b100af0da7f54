/* Members of a template of 100ms. */
#include "hms_fields.h"

/* --- roles --- */

const struct gr_field hms_role_audio[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbit/s", .range = HMS_AUDIO_BIT_RATE,
             .default_doc = "32"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = HMS_AUDIO_CODECS),
    GR_END,
};

static const struct gr_field simulcast_layer[] = {
    GR_FIELD("rid", GR_STRING, "`f`, `h` or `q`: full, half, quarter", .flags = GR_FIELD_REQUIRED,
             .values = HMS_LAYERS),
    GR_FIELD("scaleResolutionDownBy", GR_NUMBER, "Factor by which the layer is smaller than `f`",
             .flags = GR_FIELD_REQUIRED, .range = GR_RANGE(1.0, 12.0)),
    GR_FIELD("maxFramerate", GR_INT, "Frames per second", .flags = GR_FIELD_REQUIRED,
             .range = HMS_FRAME_RATE),
    GR_FIELD("maxBitrate", GR_INT, "Bit rate in kbit/s", .range = HMS_LAYER_BIT_RATE,
             .default_doc = "0"),
    GR_END,
};

const struct gr_field hms_role_simulcast[] = {
    GR_FIELD("layers", GR_ARRAY,
             "Layers from large to small: `f` at scale 1, then `h`, then `q`, each smaller",
             .range = HMS_LAYERS_MAX, .items = GR_ITEM(GR_OBJECT, .fields = simulcast_layer)),
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

const struct gr_field hms_role_subscribe[] = {
    GR_FIELD("subscribeToRoles", GR_ARRAY, "Roles from which this role receives media",
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("maxSubsBitRate", GR_INT, "Bit rate in kbit/s"),
    GR_FIELD("subscribeDegradation", GR_OBJECT, "When to receive audio only",
             .fields = degradation),
    GR_END,
};

const struct gr_field hms_role_permissions[] = {
    GR_FIELD("endRoom", GR_BOOL, "May end the session for all peers", .default_doc = "false"),
    GR_FIELD("removeOthers", GR_BOOL, "May remove peers", .default_doc = "false"),
    GR_FIELD("mute", GR_BOOL, "May mute other peers", .default_doc = "false"),
    GR_FIELD("unmute", GR_BOOL, "May ask other peers to unmute", .default_doc = "false"),
    GR_FIELD("changeRole", GR_BOOL, "May change roles of other peers", .default_doc = "false"),
    GR_FIELD("sendRoomState", GR_BOOL, "May send the state of the room", .default_doc = "false"),
    GR_FIELD("pollRead", GR_BOOL, "May see polls", .default_doc = "false"),
    GR_FIELD("pollWrite", GR_BOOL, "May create polls", .default_doc = "false"),
    GR_FIELD("browserRecording", GR_BOOL, "May start and stop recordings", .default_doc = "true"),
    GR_FIELD("rtmpStreaming", GR_BOOL, "May start and stop external streams",
             .default_doc = "true"),
    GR_FIELD("hlsStreaming", GR_BOOL, "May start and stop live streams", .default_doc = "true"),
    GR_END,
};

/* --- settings --- */

/* Templates call the member secretKey, rooms call it secret. */
static const struct gr_field storage_credentials[] = {
    GR_FIELD("key", GR_STRING, "Access key of the bucket", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("secretKey", GR_STRING, "Secret of the access key",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET),
    GR_END,
};

static const struct gr_field storage[] = {
    GR_FIELD("type", GR_STRING, "Kind of storage", .flags = GR_FIELD_REQUIRED,
             .values = HMS_STORAGE_TYPES),
    GR_FIELD("location", GR_STRING, "Bucket or container", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("prefix", GR_STRING, "Folder inside the bucket", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("options", GR_OBJECT, "Further options", .fields = hms_storage_options),
    GR_FIELD("credentials", GR_OBJECT, "Credentials with which 100ms writes to the bucket",
             .fields = storage_credentials),
    GR_END,
};

static const struct gr_field settings_recording[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether to record every session (SFU recording, deprecated)"),
    GR_FIELD("upload", GR_OBJECT, "Storage for the recordings; without it 100ms stores them",
             .fields = storage),
    GR_END,
};

static const struct gr_field room_state[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether peers get the state of the room"),
    GR_FIELD("messageInterval", GR_INT, "Seconds between two messages",
             .range = HMS_MESSAGE_SECONDS, .multiple_of = 5),
    GR_FIELD("sendPeerList", GR_BOOL, "Whether the list of peers is sent along"),
    GR_FIELD("stopRoomStateOnJoin", GR_BOOL, "Whether the messages end for a peer who has joined"),
    GR_END,
};

const struct gr_field hms_template_settings[] = {
    GR_FIELD("region", GR_STRING, "Region of the media servers", .values = HMS_REGIONS),
    GR_FIELD("recording", GR_OBJECT, "Recording, and where it is stored",
             .fields = settings_recording),
    GR_FIELD("roomState", GR_OBJECT, "State of the room for peers that have not joined",
             .fields = room_state),
    GR_FIELD("retry", GR_OBJECT, "Not documented by 100ms; write back the value that was read"),
    GR_END,
};

/* --- destinations --- */

const struct gr_field hms_thumbnails[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether thumbnails are made"),
    GR_FIELD("width", GR_INT, "Size in pixels"),
    GR_FIELD("height", GR_INT, "Size in pixels"),
    GR_FIELD("offsets", GR_ARRAY, "Positions in the recording in seconds",
             .items = GR_ITEM(GR_INT)),
    GR_FIELD("fps", GR_INT, "Thumbnails per second"),
    GR_END,
};

const struct gr_field hms_browser_recording[] = {
    GR_FIELD("name", GR_STRING, "Name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "Role that the recorder joins with", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("width", GR_INT, "Size in pixels"),
    GR_FIELD("height", GR_INT, "Size in pixels"),
    GR_FIELD("maxDuration", GR_INT, "Maximum length of the recording in seconds"),
    GR_FIELD("thumbnails", GR_OBJECT, "Thumbnails", .fields = hms_thumbnails),
    GR_FIELD("presignDuration", GR_INT, "Validity of download URLs in seconds"),
    GR_FIELD("autoStart", GR_BOOL, "Whether to start with the session"),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds to continue after the last peer left"),
    GR_END,
};

const struct gr_field hms_rtmp_destination[] = {
    GR_FIELD("name", GR_STRING, "Name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("width", GR_INT, "Size in pixels"),
    GR_FIELD("height", GR_INT, "Size in pixels"),
    GR_FIELD("maxDuration", GR_INT, "Maximum length of the stream in seconds"),
    GR_FIELD("rtmpUrls", GR_ARRAY, "Servers to stream to, each with its stream key",
             .flags = GR_FIELD_SECRET, .range = HMS_ROLE_RTMP_URLS, .items = GR_ITEM(GR_STRING)),
    GR_FIELD("recordingEnabled", GR_BOOL, "Whether to record the stream as well"),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds to continue after the last peer left"),
    GR_END,
};

static const struct gr_field translation[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether captions are translated"),
    GR_FIELD("roleLanguages", GR_MAP, "Language code by role", .items = GR_ITEM(GR_STRING)),
    GR_END,
};

const struct gr_field hms_transcription_destination[] = {
    GR_FIELD("name", GR_STRING, "Name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "Role that the listener joins with", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("modes", GR_ARRAY, "What is transcribed",
             .items = GR_ITEM(GR_STRING, .values = HMS_TEMPLATE_TRANSCRIPTION_MODES)),
    GR_FIELD("outputModes", GR_ARRAY, "Formats of the transcript",
             .items = GR_ITEM(GR_STRING, .values = HMS_TRANSCRIPT_FORMATS)),
    GR_FIELD("customVocabulary", GR_ARRAY, "Words that the transcriber should know",
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("summary", GR_OBJECT, "Summary made from the transcript", .fields = hms_summary),
    GR_FIELD("translation", GR_OBJECT, "Translation of captions", .fields = translation),
    GR_END,
};

/* --- recordings --- */

static const struct gr_field browser_composite[] = {
    GR_FIELD("autoStart", GR_BOOL, "Whether to start with the session", .default_doc = "false"),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds to continue after the last peer left"),
    GR_FIELD("width", GR_INT, "Size in pixels"),
    GR_FIELD("height", GR_INT, "Size in pixels"),
    GR_END,
};

static const struct gr_field custom_composite[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether this recording is made", .default_doc = "false"),
    GR_END,
};

static const struct gr_field composite[] = {
    GR_FIELD("browserComposite", GR_OBJECT, "The room as a browser shows it",
             .fields = browser_composite),
    GR_FIELD("customComposite", GR_OBJECT, "A custom layout", .fields = custom_composite),
    GR_END,
};

static const struct gr_field track_recording[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether each track is recorded", .default_doc = "false"),
    GR_END,
};

static const struct gr_field stream_recording[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether each stream is recorded", .default_doc = "false"),
    GR_FIELD("width", GR_INT, "Size in pixels"),
    GR_FIELD("height", GR_INT, "Size in pixels"),
    GR_END,
};

const struct gr_field hms_template_recording[] = {
    GR_FIELD("name", GR_STRING, "Name of the configuration", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "Role that the recorder joins with", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("maxDuration", GR_INT, "Maximum length of the recording in seconds"),
    GR_FIELD("presignDuration", GR_INT, "Validity of download URLs in seconds"),
    GR_FIELD("thumbnails", GR_OBJECT, "Thumbnails", .fields = hms_thumbnails),
    GR_FIELD("compositeRecording", GR_OBJECT, "The room as one picture", .fields = composite),
    GR_FIELD("trackRecording", GR_OBJECT, "Each track in a file of its own",
             .fields = track_recording),
    GR_FIELD("streamRecording", GR_OBJECT, "Each stream of a peer in a file of its own",
             .fields = stream_recording),
    GR_END,
};
