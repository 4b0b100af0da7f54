/* The fields of recordings, external streams and live streams. */
#include "jobs.h"
#include "routes.h"
#include "templates.h"

const struct gr_field sb_jobs_query[] = {
    GR_FIELD("room_id", GR_STRING, "Only jobs of this room"),
    GR_FIELD("session_id", GR_STRING, "Only jobs of this session"),
    GR_FIELD("status", GR_STRING, "Only jobs in this state", .values = HMS_JOB_STATES),
    SB_PAGE_FIELDS(1),
    GR_END,
};

static const struct gr_field resolution[] = {
    GR_FIELD("width", GR_INT, "Width in pixels", .flags = GR_FIELD_REQUIRED,
             .range = GR_RANGE(1, 1920)),
    GR_FIELD("height", GR_INT, "Height in pixels", .flags = GR_FIELD_REQUIRED,
             .range = GR_RANGE(1, 1920)),
    GR_END,
};

const struct gr_field sb_recording_start_fields[] = {
    HMS_MEETING_URL,
    HMS_DESTINATION,
    GR_FIELD("resolution", GR_OBJECT, "Size of the picture", .fields = resolution),
    GR_FIELD("audio_only", GR_BOOL, "Whether to record audio without video",
             .default_doc = "false"),
    GR_FIELD("transcription", GR_OBJECT, "Transcription settings", .fields = hms_transcription),
    GR_END,
};

const struct gr_field sb_external_start_fields[] = {
    HMS_MEETING_URL,
    HMS_DESTINATION,
    GR_FIELD("rtmp_urls", GR_ARRAY, "Servers to stream to",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET, .range = HMS_RTMP_URLS,
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("recording", GR_BOOL, "Whether to record the stream as well", .default_doc = "false"),
    GR_FIELD("resolution", GR_OBJECT, "Size of the picture", .fields = resolution),
    GR_END,
};

const struct gr_field sb_metadata_fields[] = {
    GR_FIELD("payload", GR_STRING, "Text for the players", .flags = GR_FIELD_REQUIRED,
             .range = GR_MAX(100)),
    GR_FIELD("duration", GR_INT, "Duration in seconds", .flags = GR_FIELD_REQUIRED,
             .range = GR_MIN(0)),
    GR_END,
};

const struct gr_field sb_reason_fields[] = {
    GR_FIELD("reason", GR_STRING, "Reason of the failure"),
    GR_END,
};
