/* The fields of a template. Only documented members are checked; others are stored unchecked. */
#include "templates.h"

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

static const struct gr_field publish[] = {
    GR_FIELD("allowed", GR_ARRAY, "What the role may publish",
             .items = GR_ITEM(GR_STRING, .values = HMS_PUBLISHED)),
    GR_FIELD("audio", GR_OBJECT, "Microphone", .fields = hms_role_audio),
    GR_FIELD("video", GR_OBJECT, "Camera", .fields = video),
    GR_FIELD("screen", GR_OBJECT, "Screen share", .fields = screen),
    GR_FIELD("simulcast", GR_MAP, "Simulcast by kind of track",
             .items = GR_ITEM(GR_OBJECT, .fields = hms_role_simulcast)),
    GR_END,
};

const struct gr_field sb_role_fields[] = {
    GR_FIELD("name", GR_STRING, "Name of the role; a different name renames it"),
    GR_FIELD("publishParams", GR_OBJECT, "What the role publishes", .fields = publish),
    GR_FIELD("subscribeParams", GR_OBJECT, "What the role receives", .fields = hms_role_subscribe),
    GR_FIELD("permissions", GR_OBJECT, "Permissions of the role", .fields = hms_role_permissions),
    GR_FIELD("priority", GR_INT, "Priority; 1 is the highest", .range = HMS_ROLE_PRIORITY),
    GR_FIELD("maxPeerCount", GR_INT, "Maximum number of peers with the role; 0: no limit, -1: none",
             .range = HMS_ROLE_PEERS, .default_doc = "0"),
    GR_END,
};

static const struct gr_field layer[] = {
    GR_FIELD("width", GR_INT, "Width in pixels"),
    GR_FIELD("height", GR_INT, "Height in pixels"),
    GR_FIELD("videoBitrate", GR_INT, "Bit rate of the video in kbps"),
    GR_FIELD("audioBitrate", GR_INT, "Bit rate of the audio in kbps"),
    GR_END,
};

static const struct gr_field hls_recording[] = {
    GR_FIELD("hlsVod", GR_BOOL, "Whether to keep a video on demand"),
    GR_FIELD("singleFilePerLayer", GR_BOOL, "Whether to keep one file per layer"),
    GR_FIELD("enableZipUpload", GR_BOOL, "Whether to upload an archive", .default_doc = "false"),
    GR_FIELD("layers", GR_ARRAY, "Layers of the stream to keep",
             .items = GR_ITEM(GR_OBJECT, .fields = layer)),
    GR_FIELD("thumbnails", GR_OBJECT, "Thumbnails", .fields = hms_thumbnails),
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

const struct gr_field sb_destinations_fields[] = {
    GR_FIELD("browserRecordings", GR_MAP, "Deprecated recording configurations by name",
             .items = GR_ITEM(GR_OBJECT, .fields = hms_browser_recording)),
    GR_FIELD("rtmpDestinations", GR_MAP, "External streams by name",
             .items = GR_ITEM(GR_OBJECT, .fields = hms_rtmp_destination)),
    GR_FIELD("hlsDestinations", GR_MAP, "Live streams by name",
             .items = GR_ITEM(GR_OBJECT, .fields = hls_destination)),
    GR_FIELD("transcriptions", GR_MAP, "Transcriptions by name",
             .items = GR_ITEM(GR_OBJECT, .fields = hms_transcription_destination)),
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
    GR_FIELD("settings", GR_OBJECT, "Settings of the template", .fields = hms_template_settings),
    TEMPLATE_PARTS,
    GR_END,
};

const struct gr_field sb_template_update_fields[] = {
    TEMPLATE_NAME,
    GR_FIELD("roles", GR_MAP, "Roles by name", .flags = GR_FIELD_REQUIRED,
             .items = GR_ITEM(GR_OBJECT, .fields = sb_role_fields)),
    GR_FIELD("settings", GR_OBJECT, "Settings of the template", .flags = GR_FIELD_REQUIRED,
             .fields = hms_template_settings),
    TEMPLATE_PARTS,
    GR_END,
};
