/* The documented defaults of templates. */
#include "templates.h"

const char sb_default_role_json[] =
    "{\"publishParams\":{\"allowed\":[\"audio\",\"video\",\"screen\"],"
    "\"audio\":{\"bitRate\":32,\"codec\":\"opus\"},"
    "\"video\":{\"bitRate\":256,\"codec\":\"vp8\",\"frameRate\":25,\"width\":320,\"height\":180},"
    "\"screen\":{\"bitRate\":1024,\"codec\":\"vp8\",\"frameRate\":10,\"width\":1280,\"height\":720}"
    ","
    "\"simulcast\":{\"video\":{},\"screen\":{}}},"
    "\"subscribeParams\":{\"subscribeToRoles\":[],\"maxSubsBitRate\":3200,"
    "\"subscribeDegradation\":{\"packetLossThreshold\":50,\"degradeGracePeriodSeconds\":1,"
    "\"recoverGracePeriodSeconds\":4}},"
    "\"permissions\":{\"endRoom\":false,\"removeOthers\":false,\"mute\":false,\"unmute\":false,"
    "\"changeRole\":false,\"sendRoomState\":false,\"pollRead\":false,\"pollWrite\":false,"
    "\"browserRecording\":true,\"rtmpStreaming\":true,\"hlsStreaming\":true},"
    "\"priority\":1,\"maxPeerCount\":0}";

const char sb_default_settings_json[] =
    "{\"region\":\"auto\",\"recording\":null,"
    "\"roomState\":{\"messageInterval\":10,\"sendPeerList\":false,\"stopRoomStateOnJoin\":false,"
    "\"enabled\":false},\"retry\":{}}";

const char sb_default_destinations_json[] = "{\"browserRecordings\":{},\"rtmpDestinations\":{},"
                                            "\"hlsDestinations\":{},\"transcriptions\":{}}";

/* The roles of the default template, and of a template without roles. */
const char sb_default_roles_json[] =
    "{\"host\":{\"name\":\"host\",\"subscribeParams\":{\"subscribeToRoles\":[\"host\",\"guest\"]},"
    "\"permissions\":{\"endRoom\":true,\"removeOthers\":true,\"mute\":true,\"unmute\":true,"
    "\"changeRole\":true,\"sendRoomState\":true,\"pollRead\":true,\"pollWrite\":true}},"
    "\"guest\":{\"name\":\"guest\",\"subscribeParams\":{\"subscribeToRoles\":[\"host\",\"guest\"]},"
    "\"permissions\":{\"pollRead\":true,\"browserRecording\":false,\"rtmpStreaming\":false,"
    "\"hlsStreaming\":false},\"priority\":2}}";

/* The recording configuration of the default template. */
const char sb_default_recordings_json[] =
    "[{\"name\":\"default\",\"role\":\"host\",\"maxDuration\":14400,\"presignDuration\":259200,"
    "\"thumbnails\":{\"width\":1280,\"height\":720,\"offsets\":[2],\"fps\":1},"
    "\"compositeRecording\":{\"browserComposite\":{\"autoStopTimeout\":300,\"width\":1280,"
    "\"height\":720},\"customComposite\":{}},\"trackRecording\":{},\"streamRecording\":{}}]";

json_t *sb_constant(struct sandbox *sb, const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    if (!value)
        sb->failed = true;
    return value;
}

void sb_fill_from(struct sandbox *sb, json_t *target, const char *defaults)
{
    json_t *value = sb_constant(sb, defaults);

    sb_fill(sb, target, value);
    json_decref(value);
}
