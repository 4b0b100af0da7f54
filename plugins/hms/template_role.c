/*
 * A role of a template: the media that it sends and receives, and its permissions.
 */
#include "templates.h"

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

static const struct gr_field publish[] = {
    GR_FIELD("allowed", GR_ARRAY, "What the role may publish",
             .items = GR_ITEM(GR_STRING, .values = HMS_PUBLISHED)),
    GR_FIELD("audio", GR_OBJECT, "Microphone", .fields = hms_role_audio),
    GR_FIELD("video", GR_OBJECT, "Camera", .fields = video),
    GR_FIELD("screen", GR_OBJECT, "Shared screen", .fields = screen),
    GR_FIELD("simulcast", GR_MAP, "Layers of video and of screen",
             .items = GR_ITEM(GR_OBJECT, .fields = hms_role_simulcast)),
    GR_END,
};

const struct gr_field template_role[] = {
    GR_FIELD("name", GR_STRING, "Name of the role; a different name renames it"),
    GR_FIELD("publishParams", GR_OBJECT, "What the role sends", .fields = publish),
    GR_FIELD("subscribeParams", GR_OBJECT, "What the role receives", .fields = hms_role_subscribe),
    GR_FIELD("permissions", GR_OBJECT, "Permissions of the role", .fields = hms_role_permissions),
    GR_FIELD("priority", GR_INT, "Priority; 1 is heard first", .range = HMS_ROLE_PRIORITY),
    GR_FIELD("maxPeerCount", GR_INT, "Maximum number of peers with the role; 0: no limit, -1: none",
             .range = HMS_ROLE_PEERS, .default_doc = "0"),
    GR_END,
};
