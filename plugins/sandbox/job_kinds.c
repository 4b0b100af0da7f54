/* The differences between the three kinds of job: see struct sb_job_kind. */
#include "jobs.h"

static void make_recording(struct sandbox *sb, json_t *job, const json_t *body);
static void make_external(struct sandbox *sb, json_t *job, const json_t *body);
static void make_live(struct sandbox *sb, json_t *job, const json_t *body);
static void describe_beam(struct sandbox *sb, const json_t *job, json_t *data);
static void describe_hls(struct sandbox *sb, const json_t *job, json_t *data);

const struct sb_job_kind sb_job_kinds[SB_JOB_KINDS] = {
    {"recordings", "browserRecordings", "beam", "beam not found", true, make_recording,
     describe_beam},
    {"external-streams", "rtmpDestinations", "beam", "beam not found", false, make_external,
     describe_beam},
    {"live-streams", "hlsDestinations", "hls", "hls not running", false, make_live, describe_hls},
};

static const struct sb_job_kind *kind_named(const char *collection)
{
    const struct sb_job_kind *kind = sb_job_kinds;

    while (kind < sb_job_kinds + SB_JOB_KINDS - 1 && strcmp(kind->collection, collection) != 0)
        kind++;
    return kind;
}

const struct sb_job_kind *sb_job_kind_of(const json_t *job)
{
    return kind_named(sb_text(job, ".kind"));
}

static const json_t *resolution_of(const json_t *job)
{
    const json_t *own = json_object_get(job, "resolution");

    return own ? own : json_object_get(json_object_get(job, ".settings"), "resolution");
}

int64_t sb_job_width(const json_t *job)
{
    const json_t *size = resolution_of(job);

    return size ? sb_int(size, "width") : 1280;
}

int64_t sb_job_height(const json_t *job)
{
    const json_t *size = resolution_of(job);

    return size ? sb_int(size, "height") : 720;
}

int64_t sb_job_seconds(struct sandbox *sb, const json_t *job)
{
    int64_t until_ms = sb_int(job, ".stopped_ms") ? sb_int(job, ".stopped_ms") : sb->now_ms;
    int64_t from_ms = sb_int(job, ".started_ms") + sb_int(job, ".paused_ms");
    int64_t ms = sb_int(job, ".started_ms") ? sb_service_ms(sb, from_ms, until_ms) : 0;

    return ms < 1000 ? 1 : ms / 1000;
}

/* --- new jobs --- */

static void make_recording(struct sandbox *sb, json_t *job, const json_t *body)
{
    static const char *const kept[] = {"resolution", "audio_only", NULL};
    json_t *types = sb_pack(sb, "[s s]", "room-composite", "chat");
    const json_t *transcription = json_object_get(job, ".transcription");

    if (sb_true(transcription, "enabled"))
        sb_append(sb, types, json_string("transcript"));
    if (sb_true(transcription, "enabled") &&
        sb_true(json_object_get(transcription, "summary"), "enabled"))
        sb_append(sb, types, json_string("summary"));
    sb_set(sb, job, "asset_types", types);
    sb_set(sb, job, ".settings", json_object());
    sb_take(sb, json_object_get(job, ".settings"), body, kept);
}

static void make_external(struct sandbox *sb, json_t *job, const json_t *body)
{
    json_t *resolution = json_object_get(body, "resolution");

    sb_set(sb, job, "rtmp_urls", sb_copy(sb, json_object_get(body, "rtmp_urls")));
    sb_set(sb, job, "recording", json_boolean(sb_true(body, "recording")));
    sb_set(sb, job, "resolution",
           json_is_object(resolution) ? sb_copy(sb, resolution)
                                      : sb_pack(sb, "{si si}", "width", 1280, "height", 720));
}

static void make_live(struct sandbox *sb, json_t *job, const json_t *body)
{
    const json_t *recording = json_object_get(body, "recording");

    sb_set(sb, job, "playback",
           sb_pack(sb, "{so}", "url",
                   json_sprintf("https://cdn.example.org/hls/%s/master.m3u8", sb_text(job, "id"))));
    sb_set(sb, job, "recording",
           sb_pack(sb, "{sb sb}", "hls_vod", sb_true(recording, "hls_vod"), "single_file_per_layer",
                   sb_true(recording, "single_file_per_layer")));
}

json_t *sb_job_asset_types(struct sandbox *sb, const json_t *job)
{
    const json_t *recording = json_object_get(job, "recording");
    json_t *types;

    if (json_object_get(job, "asset_types"))
        return sb_copy(sb, json_object_get(job, "asset_types"));
    types = sb_pack(sb, "[]");
    if (sb_true(recording, "hls_vod"))
        sb_append(sb, types, json_string("room-vod"));
    if (json_is_true(recording) || sb_true(recording, "single_file_per_layer"))
        sb_append(sb, types, json_string("room-composite"));
    if (json_array_size(types))
        sb_append(sb, types, json_string("chat"));
    if (sb_true(json_object_get(job, ".transcription"), "enabled"))
        sb_append(sb, types, json_string("transcript"));
    return types;
}

/* --- members of events --- */

json_t *sb_job_rtmp(struct sandbox *sb, const json_t *job)
{
    json_t *list = sb_pack(sb, "[]");
    const json_t *url;
    size_t i;

    json_array_foreach(json_object_get(job, "rtmp_urls"), i, url)
        sb_append(sb, list, sb_pack(sb, "{ss}", "url", json_string_value(url)));
    return list;
}

static void describe_beam(struct sandbox *sb, const json_t *job, json_t *data)
{
    bool recorded = json_object_get(job, "asset_types") || sb_true(job, "recording");

    sb_set(sb, data, "recording_enabled", json_boolean(recorded));
    sb_set(sb, data, "rtmp", sb_job_rtmp(sb, job));
}

static void describe_hls(struct sandbox *sb, const json_t *job, json_t *data)
{
    static const char *const shown[] = {"started_at", NULL};
    static const char *const played[] = {"url", NULL};
    const json_t *recording = json_object_get(job, "recording");

    sb_set(sb, data, "recording_single_file_per_layer_enabled",
           json_boolean(sb_true(recording, "single_file_per_layer")));
    sb_set(sb, data, "recording_vod_playlist_enabled", json_boolean(sb_true(recording, "hls_vod")));
    sb_take(sb, data, job, shown);
    sb_take(sb, data, json_object_get(job, "playback"), played);
}
