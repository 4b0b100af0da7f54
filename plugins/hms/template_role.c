/*
 * A role of a template: what it sends and receives, and what it may do.
 */
#include "templates.h"

static const char *const published_kinds[] = {"audio", "video", "screen", "simulcast", NULL};
static const char *const audio_codecs[] = {"opus", NULL};
static const char *const video_codecs[] = {"vp8", NULL};
static const char *const layer_names[] = {"f", "h", "q", NULL};

static const struct gr_field audio[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbit/s", .range = GR_RANGE(16, 128),
             .default_doc = "32"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = audio_codecs),
    GR_END,
};

static const struct gr_field video[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbit/s", .range = GR_RANGE(30, 2000),
             .default_doc = "256"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = video_codecs),
    GR_FIELD("frameRate", GR_INT, "Frames a second", .range = GR_RANGE(1, 30), .default_doc = "25"),
    GR_FIELD("width", GR_INT, "Size in pixels", .range = GR_RANGE(50, 1920), .default_doc = "320"),
    GR_FIELD("height", GR_INT, "Size in pixels", .range = GR_RANGE(50, 1080), .default_doc = "180"),
    GR_END,
};

static const struct gr_field screen[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbit/s", .range = GR_MIN(500), .default_doc = "1024"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = video_codecs),
    GR_FIELD("frameRate", GR_INT, "Frames a second", .range = GR_RANGE(1, 30), .default_doc = "10"),
    GR_FIELD("width", GR_INT, "Size in pixels", .range = GR_RANGE(480, 1920),
             .default_doc = "1280"),
    GR_FIELD("height", GR_INT, "Size in pixels", .range = GR_RANGE(270, 1080),
             .default_doc = "720"),
    GR_END,
};

static const struct gr_field simulcast_layer[] = {
    GR_FIELD("rid", GR_STRING, "`f`, `h` or `q`: full, half, quarter", .flags = GR_FIELD_REQUIRED,
             .values = layer_names),
    GR_FIELD("scaleResolutionDownBy", GR_NUMBER, "How much smaller than f",
             .flags = GR_FIELD_REQUIRED, .range = GR_RANGE(1.0, 12.0)),
    GR_FIELD("maxFramerate", GR_INT, "Frames a second", .flags = GR_FIELD_REQUIRED,
             .range = GR_RANGE(1, 30)),
    GR_FIELD("maxBitrate", GR_INT, "Bit rate in kbit/s", .range = GR_RANGE(0, 2000),
             .default_doc = "0"),
    GR_END,
};

static const struct gr_field simulcast[] = {
    GR_FIELD("layers", GR_ARRAY,
             "Layers from large to small: `f` at scale 1, then `h`, then `q`, each smaller",
             .range = GR_MAX(3), .items = GR_ITEM(GR_OBJECT, .fields = simulcast_layer)),
    GR_END,
};

static const struct gr_field publish[] = {
    GR_FIELD("allowed", GR_ARRAY, "What the role may publish",
             .items = GR_ITEM(GR_STRING, .values = published_kinds)),
    GR_FIELD("audio", GR_OBJECT, "Microphone", .fields = audio),
    GR_FIELD("video", GR_OBJECT, "Camera", .fields = video),
    GR_FIELD("screen", GR_OBJECT, "Shared screen", .fields = screen),
    GR_FIELD("simulcast", GR_MAP, "Layers of video and of screen",
             .items = GR_ITEM(GR_OBJECT, .fields = simulcast)),
    GR_END,
};

static const struct gr_field degradation[] = {
    GR_FIELD("packetLossThreshold", GR_INT, "Loss in percent that counts as bad",
             .range = GR_RANGE(1, 100), .default_doc = "50"),
    GR_FIELD("degradeGracePeriodSeconds", GR_INT, "How long it is bad before video stops",
             .range = GR_RANGE(1, 10), .default_doc = "1"),
    GR_FIELD("recoverGracePeriodSeconds", GR_INT, "How long it is good before video returns",
             .range = GR_RANGE(1, 10), .default_doc = "4"),
    GR_END,
};

static const struct gr_field subscribe[] = {
    GR_FIELD("subscribeToRoles", GR_ARRAY, "Roles whose media the role receives",
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("maxSubsBitRate", GR_INT, "Bit rate in kbit/s"),
    GR_FIELD("subscribeDegradation", GR_OBJECT, "When to receive audio only",
             .fields = degradation),
    GR_END,
};

static const struct gr_field permissions[] = {
    GR_FIELD("endRoom", GR_BOOL, "End the session for all", .default_doc = "false"),
    GR_FIELD("removeOthers", GR_BOOL, "Remove peers", .default_doc = "false"),
    GR_FIELD("mute", GR_BOOL, "Mute others", .default_doc = "false"),
    GR_FIELD("unmute", GR_BOOL, "Ask others to unmute", .default_doc = "false"),
    GR_FIELD("changeRole", GR_BOOL, "Change roles of others", .default_doc = "false"),
    GR_FIELD("sendRoomState", GR_BOOL, "Send the state of the room", .default_doc = "false"),
    GR_FIELD("pollRead", GR_BOOL, "See polls", .default_doc = "false"),
    GR_FIELD("pollWrite", GR_BOOL, "Make polls", .default_doc = "false"),
    GR_FIELD("browserRecording", GR_BOOL, "Start and stop recordings", .default_doc = "true"),
    GR_FIELD("rtmpStreaming", GR_BOOL, "Start and stop external streams", .default_doc = "true"),
    GR_FIELD("hlsStreaming", GR_BOOL, "Start and stop live streams", .default_doc = "true"),
    GR_END,
};

const struct gr_field template_role[] = {
    GR_FIELD("name", GR_STRING, "Name of the role; another one renames it"),
    GR_FIELD("publishParams", GR_OBJECT, "What the role sends", .fields = publish),
    GR_FIELD("subscribeParams", GR_OBJECT, "What the role receives", .fields = subscribe),
    GR_FIELD("permissions", GR_OBJECT, "What the role may do", .fields = permissions),
    GR_FIELD("priority", GR_INT, "Priority; 1 is heard first", .range = GR_RANGE(1, 5)),
    GR_FIELD("maxPeerCount", GR_INT, "Peers of the role at a time; 0 any number, -1 none",
             .range = GR_MIN(-1), .default_doc = "0"),
    GR_END,
};
