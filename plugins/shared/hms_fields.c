/* Members of bodies of 100ms: rooms, sessions, recordings, streams, polls, SIP. */
#include "hms_fields.h"

/* --- rooms and their sessions --- */

const struct gr_field hms_room_webhook[] = {
    GR_FIELD("url", GR_STRING, "URL that receives the events of this room",
             .flags = GR_FIELD_REQUIRED),
    GR_FIELD("headers", GR_MAP, "Headers sent along with each event",
             .items = GR_ITEM(GR_STRING, .flags = GR_FIELD_SECRET)),
    GR_END,
};

const struct gr_field hms_storage_credentials[] = {
    GR_FIELD("key", GR_STRING, "Access key of the bucket", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("secret", GR_STRING, "Secret of the access key",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET),
    GR_END,
};

const struct gr_field hms_storage_options[] = {
    GR_FIELD("region", GR_STRING, "Region of the bucket"),
    GR_END,
};

const struct gr_field hms_room_message[] = {
    GR_FIELD("message", GR_STRING, "Text of the message", .flags = GR_FIELD_REQUIRED),
    GR_FIELD("peer_id", GR_STRING, "Peer to send to; takes precedence over role"),
    GR_FIELD("role", GR_STRING, "Role of the peers to send to"),
    GR_FIELD("type", GR_STRING, "Label for the receiving application, such as `chat`"),
    GR_END,
};

const struct gr_field hms_room_removal[] = {
    GR_FIELD("peer_id", GR_STRING, "Peer to remove; takes precedence over role", .any_of = "whom"),
    GR_FIELD("role", GR_STRING, "Role of the peers to remove", .any_of = "whom"),
    GR_FIELD("reason", GR_STRING, "Reason given to the clients and in the webhook"),
    GR_END,
};

const struct gr_field hms_room_end[] = {
    GR_FIELD("reason", GR_STRING, "Reason given to the clients"),
    GR_FIELD("lock", GR_BOOL, "Whether to disable the room as well, until it is enabled again",
             .default_doc = "false"),
    GR_END,
};

/* --- recordings and streams --- */

static const struct gr_field summary_section[] = {
    GR_FIELD("title", GR_STRING, "Heading of the section", .flags = GR_FIELD_REQUIRED,
             .range = HMS_SECTION_TITLE),
    GR_FIELD("format", GR_STRING, "Format of the section's text", .flags = GR_FIELD_REQUIRED,
             .values = HMS_SECTION_FORMATS),
    GR_END,
};

const struct gr_field hms_summary[] = {
    GR_FIELD("enabled", GR_BOOL, "Whether to write a summary"),
    GR_FIELD("context", GR_STRING, "Subject of the session, for the language model",
             .range = HMS_SUMMARY_CONTEXT),
    GR_FIELD("temperature", GR_NUMBER, "Temperature of the language model",
             .range = HMS_SUMMARY_TEMPERATURE, .default_doc = "0.5"),
    GR_FIELD("sections", GR_ARRAY, "Sections of the summary", .range = HMS_SUMMARY_SECTIONS,
             .items = GR_ITEM(GR_OBJECT, .fields = summary_section)),
    GR_END,
};

/* Members of "transcription" when a recording or a stream is started. */
#define TRANSCRIPTION                                                                              \
    GR_FIELD("enabled", GR_BOOL, "`false` switches off the transcription of the template"),        \
        GR_FIELD("output_modes", GR_ARRAY, "Formats of the transcript",                            \
                 .items = GR_ITEM(GR_STRING, .values = HMS_TRANSCRIPT_FORMATS)),                   \
        GR_FIELD("custom_vocabulary", GR_ARRAY, "Words that the transcriber should know",          \
                 .items = GR_ITEM(GR_STRING)),                                                     \
        GR_FIELD("summary", GR_OBJECT, "Summary made from the transcript", .fields = hms_summary)

const struct gr_field hms_transcription[] = {TRANSCRIPTION, GR_END};

static const struct gr_field live_transcription[] = {
    TRANSCRIPTION,
    GR_FIELD("modes", GR_ARRAY, "When to transcribe: the recording, during the stream, or both",
             .items = GR_ITEM(GR_STRING, .values = HMS_TRANSCRIPTION_MODES)),
    GR_END,
};

const struct gr_field hms_live_recording[] = {
    GR_FIELD("hls_vod", GR_BOOL, "Whether to keep a video on demand (a room-vod asset)"),
    GR_FIELD("single_file_per_layer", GR_BOOL, "Whether to keep one file per layer"),
    GR_END,
};

const struct gr_field hms_live_start[] = {
    HMS_MEETING_URL,
    HMS_DESTINATION,
    GR_FIELD("recording", GR_OBJECT, "What to record of the stream", .fields = hms_live_recording),
    GR_FIELD("transcription", GR_OBJECT,
             "Transcription settings, which replace those of the template",
             .fields = live_transcription),
    GR_END,
};

/* --- polls --- */

const struct gr_field hms_poll_option[] = {
    GR_FIELD("index", GR_INT, "Position in the question, from 1", .range = GR_MIN(1)),
    GR_FIELD("text", GR_STRING, "Text of the option"),
    GR_FIELD("weight", GR_INT, "Points for this option"),
    GR_END,
};

const struct gr_field hms_poll_attachment[] = {
    GR_FIELD("type", GR_STRING, "Media type"),
    GR_FIELD("url", GR_STRING, "URL of the attachment"),
    GR_END,
};

const struct gr_field hms_poll_answer[] = {
    GR_FIELD("hidden", GR_BOOL, "Whether to hide the right answer from participants"),
    GR_FIELD("options", GR_ARRAY, "Indexes of the right options", .items = GR_ITEM(GR_INT)),
    GR_FIELD("text", GR_STRING, "The right text"),
    GR_FIELD("case", GR_BOOL, "Whether upper and lower case differ"),
    GR_FIELD("trim", GR_BOOL, "Whether spaces around the text are ignored"),
    GR_END,
};

/* --- SIP --- */

const struct gr_field hms_sip_trunk[] = {
    GR_FIELD("username", GR_STRING, "User name at the SIP provider"),
    GR_FIELD("password", GR_STRING, "Password at the SIP provider", .flags = GR_FIELD_SECRET),
    GR_FIELD("address", GR_STRING, "SIP address of the provider"),
    GR_FIELD("from", GR_STRING, "Phone number of the caller"),
    GR_END,
};
