/*
 * Members of bodies that 100ms documents, for the groups of plugins/hms, which forward the bodies,
 * and for the sandbox, which serves them. What one of the two checks more strictly than the other
 * has rows of its own there: the sandbox, for example, has no bounds for the size of a picture,
 * because the service accepts portraits that its documents exclude.
 */
#pragma once

#include "hms_limits.h"

/* Rooms: the receiver of events; the options and credentials of a storage. */
extern const struct gr_field hms_room_webhook[];
extern const struct gr_field hms_storage_options[];
extern const struct gr_field hms_storage_credentials[];
/* The running session of a room: a message to peers, the removal of peers, its end. */
extern const struct gr_field hms_room_message[];
extern const struct gr_field hms_room_removal[];
extern const struct gr_field hms_room_end[];

/* "transcription" when a recording is started, and "summary" there and in templates. */
extern const struct gr_field hms_transcription[];
extern const struct gr_field hms_summary[];
/* The start of a live stream, and "recording" in it. */
extern const struct gr_field hms_live_start[];
extern const struct gr_field hms_live_recording[];

/* Parts of a question. */
extern const struct gr_field hms_poll_option[];
extern const struct gr_field hms_poll_attachment[];
extern const struct gr_field hms_poll_answer[];
/* Members of a question for which both have the same rule. */
#define HMS_POLL_QUESTION                                                                          \
    GR_FIELD("format", GR_STRING, "Format of the text", .default_doc = "text"),                    \
        GR_FIELD("attachment", GR_ARRAY, "Pictures and other files",                               \
                 .items = GR_ITEM(GR_OBJECT, .fields = hms_poll_attachment)),                      \
        GR_FIELD("skippable", GR_BOOL, "Whether participants may skip the question",               \
                 .default_doc = "false"),                                                          \
        GR_FIELD("duration", GR_INT, "Time to answer in seconds"),                                 \
        GR_FIELD("once", GR_BOOL, "Whether an answer cannot be changed", .default_doc = "false"),  \
        GR_FIELD("weight", GR_INT, "Points for the right answer", .default_doc = "1"),             \
        GR_FIELD("answer_min_len", GR_INT, "Minimum length of an answer"),                         \
        GR_FIELD("answer_max_len", GR_INT, "Maximum length of an answer")

extern const struct gr_field hms_sip_trunk[];

/* A role: parts of "publishParams", then "subscribeParams" and "permissions". */
extern const struct gr_field hms_role_audio[];
extern const struct gr_field hms_role_simulcast[]; /* of one kind of track */
extern const struct gr_field hms_role_subscribe[];
extern const struct gr_field hms_role_permissions[];
/* A template: its settings, destinations of each kind, and a recording configuration. */
extern const struct gr_field hms_template_settings[];
extern const struct gr_field hms_browser_recording[];
extern const struct gr_field hms_rtmp_destination[];
extern const struct gr_field hms_transcription_destination[];
extern const struct gr_field hms_template_recording[];
extern const struct gr_field hms_thumbnails[];

/* Members of start calls that say how a stream or recording joins, and its destination. */
#define HMS_MEETING_URL                                                                            \
    GR_FIELD("meeting_url", GR_STRING,                                                             \
             "URL into the room; needed when the template has no subdomain")
#define HMS_DESTINATION                                                                            \
    GR_FIELD("destination", GR_STRING, "Destination in the template; needed when it has several")
