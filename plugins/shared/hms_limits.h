/*
 * Limits and names of the 100ms service, from its documents and recorded answers. The gateway
 * (plugins/hms) and the sandbox (plugins/sandbox) have separate handlers, so that each tests the
 * other, but share these values and the rows of hms_fields.h.
 */
#pragma once

#include <greenroom/plugin.h>

/* --- rooms --- */

#define HMS_ROOM_NAME "[A-Za-z0-9.:_-]+"
#define HMS_REGIONS GR_LIST("eu", "in", "us", "auto")
#define HMS_SESSION_SECONDS GR_RANGE(120, 43200)
#define HMS_ROOM_SIZE 2500        /* peers, without large_room */
#define HMS_ROOM_SIZE_LARGE 20000 /* peers, with large_room */

/* --- templates: what a role publishes --- */

#define HMS_TEMPLATE_NAME "[A-Za-z0-9 .:_-]+"
#define HMS_PUBLISHED GR_LIST("audio", "video", "screen", "simulcast")
#define HMS_AUDIO_CODECS GR_LIST("opus")
#define HMS_AUDIO_BIT_RATE GR_RANGE(16, 128) /* kbit/s, as all bit rates here */
#define HMS_VIDEO_CODECS GR_LIST("vp8")
#define HMS_VIDEO_BIT_RATE GR_RANGE(30, 2000)
#define HMS_SCREEN_BIT_RATE GR_MIN(500)
#define HMS_FRAME_RATE GR_RANGE(1, 30)
#define HMS_LAYERS GR_LIST("f", "h", "q")
#define HMS_LAYERS_MAX GR_MAX(3)
#define HMS_LAYER_BIT_RATE GR_RANGE(0, 2000)
#define HMS_ROLE_PRIORITY GR_RANGE(1, 5)
#define HMS_ROLE_PEERS GR_MIN(-1)

/* --- templates: what a role subscribes to --- */

#define HMS_PACKET_LOSS GR_RANGE(1, 100)
#define HMS_GRACE_SECONDS GR_RANGE(1, 10)

/* --- templates: settings and destinations --- */

#define HMS_STORAGE_TYPES GR_LIST("s3", "gs", "oss", "azure", "r2")
#define HMS_MESSAGE_SECONDS GR_RANGE(5, 3600)
#define HMS_ROLE_RTMP_URLS GR_MAX(3)
#define HMS_PLAYLIST_TYPES GR_LIST("event", "live")
#define HMS_PLAYLIST_SEGMENTS GR_RANGE(3, 150)

/* --- recordings and streams --- */

#define HMS_JOB_STATES                                                                             \
    GR_LIST("starting", "running", "stopping", "post_processing", "completed", "failed")
#define HMS_RTMP_URLS GR_RANGE(1, 5)
#define HMS_TRANSCRIPT_FORMATS GR_LIST("txt", "srt", "json")
#define HMS_TRANSCRIPTION_MODES GR_LIST("recorded", "live")
#define HMS_TEMPLATE_TRANSCRIPTION_MODES GR_LIST("recorded", "live", "caption")
#define HMS_SUMMARY_CONTEXT GR_MAX(300)
#define HMS_SUMMARY_TEMPERATURE GR_RANGE(0.1, 1.0)
#define HMS_SUMMARY_SECTIONS GR_MAX(6)
#define HMS_SECTION_TITLE GR_MAX(100)
#define HMS_SECTION_FORMATS GR_LIST("bullets", "paragraph")

/* --- polls --- */

#define HMS_POLL_TYPES GR_LIST("poll", "quiz")
#define HMS_POLL_STARTS GR_LIST("auto", "manual")

/* --- SIP --- */

#define HMS_SIP_HEADER "[^\\r\\n]*"
#define HMS_SIP_DIGIT "[0-9*#a-d]"

/* --- deliveries of webhooks --- */

#define HMS_DELIVERY_STATES GR_LIST("all", "failed", "success")
#define HMS_REPLAY_MAX 50000

/* Webhooks whose deliveries the service keeps. */
#define HMS_WEBHOOK_TYPES                                                                          \
    GR_LIST("session.open.success", "session.close.success", "peer.join.success",                  \
            "peer.leave.success", "recording.success", "recording.failed",                         \
            "transcription.success", "beam.started.success", "beam.stopped.success",               \
            "beam.recording.success", "hls.recording.success", "stream.recording.success")

/* --- analytics --- */

#define HMS_EVENT_TYPES                                                                            \
    GR_LIST("track.add.success", "track.update.success", "track.remove.success",                   \
            "beam.recording.success", "client.publish.failed", "client.subscribe.failed",          \
            "client.join.failed", "client.disconnected", "client.connect.failed")
