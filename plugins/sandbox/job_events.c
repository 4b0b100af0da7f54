/*
 * The webhooks of recordings and streams, with the members that the service documents. Contract
 * tests verify them (tests/contract/live).
 */
#include "analytics.h"
#include "jobs.h"
#include "webhooks.h"

#define PRESIGN_S (3 * 86400)

static json_t *room_of(struct sandbox *sb, const json_t *job)
{
    return sb_find_text(sb, "rooms", sb_text(job, "room_id"));
}

/* Each event of a job has an id and a time in addition to those of the envelope. */
static void stamp(struct sandbox *sb, json_t *data)
{
    struct sb_name id = sb_new_uuid(sb);

    sb_set(sb, data, "metadata_id", sb_pack(sb, "s", id.text));
    sb_set(sb, data, "metadata_timestamp", sb_time(sb, sb->now_ms));
}

/* The common members of all events of a job. */
static json_t *data_of(struct sandbox *sb, const json_t *job)
{
    const json_t *session = sb_find_text(sb, "sessions", sb_text(job, "session_id"));
    json_t *data = sb_pack(
        sb, "{ss ss ss ss ss ss sI sI}", "beam_id", sb_text(job, "id"), "room_id",
        sb_text(job, "room_id"), "session_id", sb_text(job, "session_id"), "session_started_at",
        sb_text(session, "created_at"), "template_id", sb_text(room_of(sb, job), "template_id"),
        "meeting_url", sb_text(job, "meeting_url"), "max_width", (json_int_t)sb_job_width(job),
        "max_height", (json_int_t)sb_job_height(job));

    stamp(sb, data);
    return data;
}

/* The common members of the events of a running job: also the job and the recording peer. */
static json_t *run_data(struct sandbox *sb, const json_t *job)
{
    json_t *data = data_of(sb, job);

    sb_set(sb, data, "job_id", sb_pack(sb, "s", sb_text(job, "id")));
    sb_set(sb, data, "peer_id", sb_pack(sb, "s", sb_text(job, ".peer_id")));
    sb_job_kind_of(job)->describe(sb, job, data);
    return data;
}

/* Sends an event of the kind of job, for example "beam.started.success" or "hls.failure". */
static void emit(struct sandbox *sb, const json_t *job, const char *what, json_t *data)
{
    struct sb_name type = {""};
    const char *family = sb_job_kind_of(job)->hook;

    memcpy(type.text, family, strlen(family));
    memcpy(type.text + strlen(family), what, strlen(what) + 1);
    sb_emit(sb, type.text, room_of(sb, job), data);
}

void sb_job_tell_started(struct sandbox *sb, const json_t *job)
{
    json_t *data = run_data(sb, job);
    int64_t delay_ms = sb_service_ms(sb, sb_int(job, ".created_ms"), sb_int(job, ".started_ms"));

    sb_set(sb, data, "start_delay", json_integer(delay_ms / 1000));
    emit(sb, job, ".started.success", data);
}

void sb_job_tell_stopped(struct sandbox *sb, const json_t *job)
{
    json_t *data = run_data(sb, job);

    sb_set(sb, data, "duration", json_integer(sb_job_seconds(sb, job)));
    sb_set(sb, data, "reason", sb_pack(sb, "s", sb_text(job, ".reason")));
    if (json_object_get(job, "playback"))
        sb_set(sb, data, "stopped_at", sb_copy(sb, json_object_get(job, "stopped_at")));
    emit(sb, job, ".stopped.success", data);
}

void sb_job_tell_failed(struct sandbox *sb, const json_t *job, const char *reason)
{
    json_t *data = run_data(sb, job);

    sb_set(sb, data, "duration", json_integer(sb_job_seconds(sb, job)));
    sb_set(sb, data, "error_code", json_integer(1));
    sb_set(sb, data, "error_message", sb_pack(sb, "s", reason));
    sb_set(sb, data, "error_type", sb_pack(sb, "s", "UPLOAD_ERROR"));
    sb_unset(sb, data, "url");
    sb_unset(sb, data, "started_at");
    emit(sb, job, ".failure", data);
}

/* --- files --- */

static const json_t *asset_of(const json_t *assets, const char *type)
{
    const json_t *asset;
    size_t i;

    json_array_foreach(assets, i, asset) {
        if (sb_is(asset, "type", gr_str_of(type)))
            return asset;
    }
    return NULL;
}

/* Sets "<name>_path" and "<name>_presigned_url" of the asset. */
static void set_file(struct sandbox *sb, json_t *data, const char *name, const json_t *asset)
{
    struct sb_name member = {""};
    size_t length = strlen(name);

    if (!asset)
        return;
    memcpy(member.text, name, length);
    memcpy(member.text + length, "_path", sizeof("_path"));
    sb_set(sb, data, member.text, sb_copy(sb, json_object_get(asset, "path")));
    memcpy(member.text + length, "_presigned_url", sizeof("_presigned_url"));
    sb_set(sb, data, member.text, sb_presign(sb, sb_text(asset, "id"), PRESIGN_S));
}

static void tell_beam_recorded(struct sandbox *sb, const json_t *job, const json_t *assets)
{
    static const char *const shown[] = {"started_at", "stopped_at", NULL};
    const json_t *video = asset_of(assets, "room-composite");
    json_t *data = data_of(sb, job);

    sb_set(sb, data, "peer_id", sb_pack(sb, "s", sb_text(job, ".peer_id")));
    sb_set(sb, data, "created_at", sb_time(sb, sb->now_ms));
    sb_set(sb, data, "duration", json_integer(sb_job_seconds(sb, job)));
    sb_set(sb, data, "size", json_integer(sb_int(video, "size")));
    sb_set(sb, data, "recording_id", sb_pack(sb, "s", sb_text(video, "id")));
    sb_set(sb, data, "rtmp", sb_job_rtmp(sb, job));
    sb_take(sb, data, job, shown);
    set_file(sb, data, "recording", video);
    set_file(sb, data, "chat_recording", asset_of(assets, "chat"));
    sb_analytics(sb, "beam.recording.success", sb_copy(sb, data));
    emit(sb, job, ".recording.success", data);
}

static json_t *single_files(struct sandbox *sb, const json_t *job, const json_t *assets)
{
    const json_t *video = asset_of(assets, "room-composite");
    json_t *files = sb_pack(sb, "[]");
    json_t *file;

    if (!video)
        return files;
    file = sb_pack(sb, "{ss ss sI sI sI}", "asset_id", sb_text(video, "id"), "layer", "0", "size",
                   (json_int_t)sb_int(video, "size"), "width", (json_int_t)sb_job_width(job),
                   "height", (json_int_t)sb_job_height(job));
    set_file(sb, file, "recording", video);
    sb_append(sb, files, file);
    return files;
}

static void tell_hls_recorded(struct sandbox *sb, const json_t *job, const json_t *assets)
{
    static const char *const shown[] = {"started_at", "stopped_at", NULL};
    const json_t *playlist = asset_of(assets, "room-vod");
    const json_t *first = playlist ? playlist : asset_of(assets, "room-composite");
    json_t *data = data_of(sb, job);

    sb_set(sb, data, "duration", json_integer(sb_job_seconds(sb, job)));
    sb_set(sb, data, "recording_id", sb_pack(sb, "s", sb_text(first, "id")));
    sb_set(sb, data, "recording_created_at", sb_time(sb, sb->now_ms));
    sb_set(sb, data, "recording_single_files", single_files(sb, job, assets));
    sb_set(sb, data, "recording_thumbnails", json_array());
    sb_take(sb, data, job, shown);
    set_file(sb, data, "hls_vod_recording", playlist);
    if (playlist)
        sb_set(sb, data, "hls_vod_recording_size", json_integer(sb_int(playlist, "size")));
    set_file(sb, data, "chat_recording", asset_of(assets, "chat"));
    emit(sb, job, ".recording.success", data);
}

/* --- transcription --- */

/* Adds the members about one text, for example "transcript_srt_asset_id". */
static void add_text(struct sandbox *sb, json_t *data, const json_t *asset, bool finished)
{
    json_t *name = json_sprintf("%s_%s", sb_text(asset, "type"),
                                sb_text(json_object_get(asset, "metadata"), "output_mode"));
    json_t *id_name = json_sprintf("%s_asset_id", name ? json_string_value(name) : "");

    if (name && id_name) {
        sb_set(sb, data, json_string_value(id_name), sb_pack(sb, "s", sb_text(asset, "id")));
        if (finished)
            set_file(sb, data, json_string_value(name), asset);
    } else {
        sb->failed = true;
    }
    json_decref(name);
    json_decref(id_name);
}

static void tell_transcription(struct sandbox *sb, const json_t *job, const json_t *assets,
                               const char *id, bool finished)
{
    const json_t *video = asset_of(assets, "room-composite");
    const json_t *room = room_of(sb, job);
    json_t *data =
        sb_pack(sb, "{ss ss ss ss ss ss ss sI}", "account_id", sb->options->customer_id, "app_id",
                sb->options->app_id, "recording_id", sb_text(video ? video : job, "id"), "room_id",
                sb_text(room, "id"), "room_name", sb_text(room, "name"), "session_id",
                sb_text(job, "session_id"), "transcription_id", id, "duration",
                (json_int_t)sb_job_seconds(sb, job));
    const json_t *asset;
    size_t i;

    stamp(sb, data);
    json_array_foreach(assets, i, asset) {
        if (sb_is(asset, "type", GR_STR("transcript")) || sb_is(asset, "type", GR_STR("summary")))
            add_text(sb, data, asset, finished);
    }
    sb_emit(sb, finished ? "transcription.success" : "transcription.started.success", room, data);
}

void sb_job_tell_completed(struct sandbox *sb, const json_t *job)
{
    const json_t *assets = json_object_get(job, "recording_assets");
    struct sb_name id = sb_new_id(sb);

    if (json_object_get(job, "playback") && json_array_size(assets))
        tell_hls_recorded(sb, job, assets);
    else if (json_array_size(assets))
        tell_beam_recorded(sb, job, assets);
    if (!asset_of(assets, "transcript"))
        return;
    tell_transcription(sb, job, assets, id.text, false);
    tell_transcription(sb, job, assets, id.text, true);
}
