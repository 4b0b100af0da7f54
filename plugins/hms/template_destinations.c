/*
 * Destinations of a template: streams, recordings and transcriptions that are started by name.
 */
#include "templates.h"

static const struct gr_field hls_layer[] = {
    GR_FIELD("width", GR_INT, "Size in pixels; an even number", .range = GR_RANGE(144, 1920),
             .multiple_of = 2),
    GR_FIELD("height", GR_INT, "Size in pixels; an even number", .range = GR_RANGE(144, 1920),
             .multiple_of = 2),
    GR_FIELD("videoBitrate", GR_INT, "Bit rate in kbit/s"),
    GR_FIELD("audioBitrate", GR_INT, "Bit rate in kbit/s"),
    GR_END,
};

#define HLS_LAYERS(doc_)                                                                           \
    GR_FIELD("layers", GR_ARRAY, doc_, .items = GR_ITEM(GR_OBJECT, .fields = hls_layer))

static const struct gr_field hls_recording[] = {
    GR_FIELD("hlsVod", GR_BOOL, "Whether to keep a video on demand"),
    GR_FIELD("singleFilePerLayer", GR_BOOL, "Whether to keep one file per layer"),
    GR_FIELD("enableZipUpload", GR_BOOL,
             "Whether to upload an archive; needs storage of the workspace",
             .default_doc = "false"),
    HLS_LAYERS("Layers of the stream to keep"),
    GR_FIELD("thumbnails", GR_OBJECT, "Thumbnails", .fields = hms_thumbnails),
    GR_FIELD("presignDuration", GR_INT, "Validity of download URLs in seconds"),
    GR_END,
};

static const struct gr_field hls_destination[] = {
    GR_FIELD("name", GR_STRING, "Name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "Role that the streamer joins with"),
    GR_FIELD("maxDuration", GR_INT, "Maximum length of the stream in seconds"),
    HLS_LAYERS("Layers from large to small; the longer side has at least 192 pixels, the shorter "
               "at most 1080"),
    GR_FIELD("playlistType", GR_STRING, "`event` keeps all segments", .values = HMS_PLAYLIST_TYPES),
    GR_FIELD("numPlaylistSegments", GR_INT, "Segments in a live playlist",
             .range = HMS_PLAYLIST_SEGMENTS, .default_doc = "5"),
    GR_FIELD("videoFrameRate", GR_INT, "Frames per second"),
    GR_FIELD("enableMetadataInsertion", GR_BOOL, "Whether timed metadata can be inserted"),
    GR_FIELD("enableStaticUrl", GR_BOOL, "Whether the URL of the playlist stays the same"),
    GR_FIELD("recording", GR_OBJECT, "What is recorded of the stream", .fields = hls_recording),
    GR_FIELD("autoStopTimeout", GR_INT, "Seconds to continue after the last peer left"),
    GR_END,
};

const struct gr_field template_destinations[] = {
    GR_FIELD("rtmpDestinations", GR_MAP, "External streams, by name",
             BY_NAME(hms_rtmp_destination)),
    GR_FIELD("hlsDestinations", GR_MAP, "Live streams, by name", BY_NAME(hls_destination)),
    GR_FIELD("transcriptions", GR_MAP, "Transcriptions, by name",
             BY_NAME(hms_transcription_destination)),
    GR_FIELD("browserRecordings", GR_MAP, "Deprecated: use /templates/{templateId}/recordings",
             .flags = GR_FIELD_DEPRECATED, BY_NAME(hms_browser_recording)),
    GR_END,
};
