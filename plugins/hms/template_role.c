/*
 * A role of a template: the media that it sends and receives, and its permissions.
 */
#include "templates.h"

static const struct gr_field audio[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbit/s", .range = HMS_AUDIO_BIT_RATE,
             .default_doc = "32"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = HMS_AUDIO_CODECS),
    GR_END,
};

static const struct gr_field video[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbit/s", .range = HMS_VIDEO_BIT_RATE,
             .default_doc = "256"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = HMS_VIDEO_CODECS),
    GR_FIELD("frameRate", GR_INT, "Frames per second", .range = HMS_FRAME_RATE,
             .default_doc = "25"),
    GR_FIELD("width", GR_INT, "Size in pixels", .range = GR_RANGE(50, 1920), .default_doc = "320"),
    GR_FIELD("height", GR_INT, "Size in pixels", .range = GR_RANGE(50, 1080), .default_doc = "180"),
    GR_END,
};

static const struct gr_field screen[] = {
    GR_FIELD("bitRate", GR_INT, "Bit rate in kbit/s", .range = HMS_SCREEN_BIT_RATE,
             .default_doc = "1024"),
    GR_FIELD("codec", GR_STRING, "Codec", .values = HMS_VIDEO_CODECS),
    GR_FIELD("frameRate", GR_INT, "Frames per second", .range = HMS_FRAME_RATE,
             .default_doc = "10"),
    GR_FIELD("width", GR_INT, "Size in pixels", .range = GR_RANGE(480, 1920),
             .default_doc = "1280"),
    GR_FIELD("height", GR_INT, "Size in pixels", .range = GR_RANGE(270, 1080),
             .default_doc = "720"),
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

static const struct gr_field simulcast[] = {
    GR_FIELD("layers", GR_ARRAY,
             "Layers from large to small: `f` at scale 1, then `h`, then `q`, each smaller",
             .range = HMS_LAYERS_MAX, .items = GR_ITEM(GR_OBJECT, .fields = simulcast_layer)),
    GR_END,
};

static const struct gr_field publish[] = {
    GR_FIELD("allowed", GR_ARRAY, "What the role may publish",
             .items = GR_ITEM(GR_STRING, .values = HMS_PUBLISHED)),
    GR_FIELD("audio", GR_OBJECT, "Microphone", .fields = audio),
    GR_FIELD("video", GR_OBJECT, "Camera", .fields = video),
    GR_FIELD("screen", GR_OBJECT, "Shared screen", .fields = screen),
    GR_FIELD("simulcast", GR_MAP, "Layers of video and of screen",
             .items = GR_ITEM(GR_OBJECT, .fields = simulcast)),
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

static const struct gr_field subscribe[] = {
    GR_FIELD("subscribeToRoles", GR_ARRAY, "Roles from which this role receives media",
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("maxSubsBitRate", GR_INT, "Bit rate in kbit/s"),
    GR_FIELD("subscribeDegradation", GR_OBJECT, "When to receive audio only",
             .fields = degradation),
    GR_END,
};

static const struct gr_field permissions[] = {
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

const struct gr_field template_role[] = {
    GR_FIELD("name", GR_STRING, "Name of the role; a different name renames it"),
    GR_FIELD("publishParams", GR_OBJECT, "What the role sends", .fields = publish),
    GR_FIELD("subscribeParams", GR_OBJECT, "What the role receives", .fields = subscribe),
    GR_FIELD("permissions", GR_OBJECT, "Permissions of the role", .fields = permissions),
    GR_FIELD("priority", GR_INT, "Priority; 1 is heard first", .range = HMS_ROLE_PRIORITY),
    GR_FIELD("maxPeerCount", GR_INT, "Maximum number of peers with the role; 0: no limit, -1: none",
             .range = HMS_ROLE_PEERS, .default_doc = "0"),
    GR_END,
};
