/*
 * Destinations of a template: streams, recordings and transcriptions that can be started by name.
 */
#include "templates.h"

#include <jansson.h>

static gr_check_fn check_hls_layer;

const struct gr_field template_thumbnails[] = {
    GR_FIELD("enabled", GR_BOOL, "whether they are made"),
    GR_FIELD("width", GR_INT, "pixels"),
    GR_FIELD("height", GR_INT, "pixels"),
    GR_FIELD("offsets", GR_ARRAY, "where in the recording, in seconds", .items = GR_ITEM(GR_INT)),
    GR_FIELD("fps", GR_INT, "how many a second"),
    GR_END,
};

static const struct gr_field browser_recording[] = {
    GR_FIELD("name", GR_STRING, "name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "role that the recorder joins with", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("width", GR_INT, "pixels"),
    GR_FIELD("height", GR_INT, "pixels"),
    GR_FIELD("maxDuration", GR_INT, "longest recording in seconds"),
    GR_FIELD("thumbnails", GR_OBJECT, "still pictures", .fields = template_thumbnails),
    GR_FIELD("presignDuration", GR_INT, "how long URLs work, in seconds"),
    GR_FIELD("autoStart", GR_BOOL, "begin with the session"),
    GR_FIELD("autoStopTimeout", GR_INT, "seconds after the last peer left"),
    GR_END,
};

static const struct gr_field rtmp_destination[] = {
    GR_FIELD("name", GR_STRING, "name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("width", GR_INT, "pixels"),
    GR_FIELD("height", GR_INT, "pixels"),
    GR_FIELD("maxDuration", GR_INT, "longest stream in seconds"),
    GR_FIELD("rtmpUrls", GR_ARRAY, "servers to stream to, each with its stream key",
             .flags = GR_FIELD_SECRET, .range = GR_MAX(3), .items = GR_ITEM(GR_STRING)),
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
             .default_doc = "false"),
    HLS_LAYERS("which of the stream's layers to keep"),
    GR_FIELD("thumbnails", GR_OBJECT, "still pictures", .fields = template_thumbnails),
    GR_FIELD("presignDuration", GR_INT, "how long URLs work, in seconds"),
    GR_END,
};

static const char *const playlist_types[] = {"event", "live", NULL};

static const struct gr_field hls_destination[] = {
    GR_FIELD("name", GR_STRING, "name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "role that the streamer joins with"),
    GR_FIELD("maxDuration", GR_INT, "longest stream in seconds"),
    HLS_LAYERS("layers from large to small"),
    GR_FIELD("playlistType", GR_STRING, "event keeps all segments", .values = playlist_types),
    GR_FIELD("numPlaylistSegments", GR_INT, "segments in a live playlist",
             .range = GR_RANGE(3, 150), .default_doc = "5"),
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
    GR_FIELD("name", GR_STRING, "name of the destination", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("role", GR_STRING, "role that the listener joins with", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("modes", GR_ARRAY, "what is transcribed",
             .items = GR_ITEM(GR_STRING, .values = transcription_modes)),
    GR_FIELD("outputModes", GR_ARRAY, "formats of the transcript",
             .items = GR_ITEM(GR_STRING, .values = hms_transcript_formats)),
    GR_FIELD("customVocabulary", GR_ARRAY, "words to listen for", .items = GR_ITEM(GR_STRING)),
    GR_FIELD("summary", GR_OBJECT, "summary made from the transcript", .fields = hms_summary),
    GR_FIELD("translation", GR_OBJECT, "of captions", .fields = translation),
    GR_END,
};

const struct gr_field template_destinations[] = {
    GR_FIELD("rtmpDestinations", GR_MAP, "external streams, by name", BY_NAME(rtmp_destination)),
    GR_FIELD("hlsDestinations", GR_MAP, "live streams, by name", BY_NAME(hls_destination)),
    GR_FIELD("transcriptions", GR_MAP, "transcriptions, by name", BY_NAME(transcription)),
    GR_FIELD("browserRecordings", GR_MAP, "out of use: see /templates/{templateId}/recordings",
             BY_NAME(browser_recording)),
    GR_END,
};

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
