/*
 * Recordings, external streams and live streams: three collections of one kind of job.
 *
 *     starting -> running -> stopping -> post_processing -> completed
 *
 * and failed from anywhere. What differs between the three stands in job_kinds.
 */
#include "jobs.h"

#define STARTING_MS 2000
#define STOPPING_MS 1000
#define POST_PROCESSING_MS 3000
#define LIMIT_MS (4 * 3600 * INT64_C(1000))
#define ALONE_MS (5 * 60 * INT64_C(1000))

static void make_recording(struct sandbox *sb, json_t *job, const json_t *body);
static void make_external(struct sandbox *sb, json_t *job, const json_t *body);
static void make_live(struct sandbox *sb, json_t *job, const json_t *body);

static const struct job_kind {
    const char *collection;  /* also the first segment of its routes */
    const char *destination; /* where a template keeps its destinations */
    const char *hook;        /* begin of its webhook types */
    const char *none;        /* the error when nothing runs; NULL: an empty answer */
    bool short_list;         /* lists do not show assets */
    void (*make)(struct sandbox *sb, json_t *job, const json_t *body);
} job_kinds[] = {
    {"recordings", "browserRecordings", "beam", NULL, true, make_recording},
    {"external-streams", "rtmpDestinations", "beam", NULL, false, make_external},
    {"live-streams", "hlsDestinations", "hls", "hls not running", false, make_live},
};
#define JOB_KINDS (sizeof(job_kinds) / sizeof(job_kinds[0]))

static const struct job_kind *kind_named(const char *collection)
{
    const struct job_kind *kind = job_kinds;

    while (kind < job_kinds + JOB_KINDS - 1 && strcmp(kind->collection, collection) != 0)
        kind++;
    return kind;
}

static const struct job_kind *kind_of(const json_t *job)
{
    return kind_named(sb_text(job, ".kind"));
}

/* By the first segment of the route. */
static const struct job_kind *kind_called(const struct gr_call *call)
{
    const char *path = gr_route_of(call)->path + 1;
    const struct job_kind *kind = job_kinds;

    while (kind < job_kinds + JOB_KINDS - 1 &&
           strncmp(path, kind->collection, strlen(kind->collection)) != 0)
        kind++;
    return kind;
}

json_t *sb_job_find(struct sandbox *sb, const char *id)
{
    for (size_t i = 0; i < JOB_KINDS; i++) {
        json_t *job = sb_find_text(sb, job_kinds[i].collection, id);

        if (job)
            return job;
    }
    return NULL;
}

static bool in_state(const json_t *job, const char *status)
{
    return sb_is(job, "status", gr_str_of(status));
}

static bool is_live(const json_t *job)
{
    return in_state(job, "starting") || in_state(job, "running");
}

static void set_state(struct sandbox *sb, json_t *job, const char *status)
{
    sb_set(sb, job, "status", sb_pack(sb, "s", status));
    sb_set(sb, job, "updated_at", sb_time(sb, sb->now_ms));
}

/* --- what is made of a start --- */

static void make_recording(struct sandbox *sb, json_t *job, const json_t *body)
{
    static const char *const kept[] = {"resolution", "audio_only", NULL};
    json_t *types = sb_pack(sb, "[s s]", "room-composite", "chat");
    const json_t *transcription = json_object_get(body, "transcription");

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
           sb_pack(sb, "{sb sb}", "hls_vod", sb_true(recording, "hls_vod"),
                   "single_file_per_layer", sb_true(recording, "single_file_per_layer")));
}

/* What a completed job leaves behind, by type. */
static json_t *asset_types(struct sandbox *sb, const json_t *job)
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
    if (sb_true(json_object_get(job, ".transcription"), "enabled"))
        sb_append(sb, types, json_string("transcript"));
    return types;
}

/* --- the way of a job --- */

static void emit(struct sandbox *sb, const json_t *job, const char *what, json_t *data)
{
    const struct job_kind *kind = kind_of(job);
    struct sb_name type = {""};
    static const char *const shown[] = {"meeting_url", "started_at", "stopped_at", NULL};

    if (!data)
        data = sb_pack(sb, "{}");
    sb_take(sb, data, job, shown);
    sb_set(sb, data, "job_id", sb_pack(sb, "s", sb_text(job, "id")));
    if (strcmp(kind->hook, "beam") == 0)
        sb_set(sb, data, "beam_id", sb_pack(sb, "s", sb_text(job, "id")));
    if (json_object_get(job, "rtmp_urls"))
        sb_set(sb, data, "rtmp", sb_copy(sb, json_object_get(job, "rtmp_urls")));
    if (json_object_get(job, "playback"))
        sb_set(sb, data, "url",
               sb_copy(sb, json_object_get(json_object_get(job, "playback"), "url")));
    memcpy(type.text, kind->hook, strlen(kind->hook));
    memcpy(type.text + strlen(kind->hook), what, strlen(what));
    if (strcmp(type.text, "beam.recording.success") == 0)
        sb_analytics(sb, type.text, sb_copy(sb, data));
    sb_emit(sb, type.text, sb_find_text(sb, "rooms", sb_text(job, "room_id")),
            sb_find_text(sb, "sessions", sb_text(job, "session_id")), data);
}

static void run_job(struct sandbox *sb, json_t *job)
{
    set_state(sb, job, "running");
    sb_set(sb, job, "started_at", sb_time(sb, sb->now_ms));
    sb_set(sb, job, ".started_ms", json_integer(sb->now_ms));
    sb_schedule(sb, LIMIT_MS, "job.limit", sb_text(job, "id"));
    emit(sb, job, ".started.success", NULL);
}

static void emit_assets(struct sandbox *sb, const json_t *job)
{
    const json_t *assets = json_object_get(job, "recording_assets");
    const json_t *asset;
    size_t i;

    json_array_foreach(assets, i, asset)
    {
        if (sb_is(asset, "type", GR_STR("transcript")))
            sb_emit(sb, "transcription.success",
                    sb_find_text(sb, "rooms", sb_text(job, "room_id")),
                    sb_find_text(sb, "sessions", sb_text(job, "session_id")),
                    sb_pack(sb, "{ss ss}", "transcript_asset_id", sb_text(asset, "id"),
                            "transcript_path", sb_text(asset, "path")));
    }
    if (json_array_size(assets))
        emit(sb, job, ".recording.success",
             sb_pack(sb, "{ss sI sI}", "recording_path",
                     sb_text(json_array_get(assets, 0), "path"), "size",
                     (json_int_t)sb_int(json_array_get(assets, 0), "size"), "duration",
                     (json_int_t)sb_int(json_array_get(assets, 0), "duration")));
}

static void finish(struct sandbox *sb, json_t *job)
{
    json_t *types = asset_types(sb, job);

    sb_set(sb, job, "recording_assets", sb_assets_make(sb, job, types));
    json_decref(types);
    set_state(sb, job, "completed");
    emit_assets(sb, job);
}

void sb_job_step(struct sandbox *sb, const char *id)
{
    json_t *job = sb_job_find(sb, id);

    if (in_state(job, "starting")) {
        run_job(sb, job);
    } else if (in_state(job, "stopping")) {
        set_state(sb, job, "post_processing");
        sb_set(sb, job, "stopped_at", sb_time(sb, sb_int(job, ".stopped_ms")));
        emit(sb, job, ".stopped.success", NULL);
        sb_schedule(sb, POST_PROCESSING_MS, "job.step", id);
        sb_session_settle(sb, sb_text(job, "session_id"));
    } else if (in_state(job, "post_processing")) {
        finish(sb, job);
    }
}

static void forget_steps(struct sandbox *sb, const char *id)
{
    sb_cancel(sb, "job.step", id);
    sb_cancel(sb, "job.limit", id);
    sb_cancel(sb, "job.alone", id);
}

static void set_paused(struct sandbox *sb, json_t *job, bool paused)
{
    int64_t from_ms = sb_int(job, ".paused_from_ms");

    if (paused == (from_ms != 0))
        return;
    if (!paused)
        sb_set(sb, job, ".paused_ms",
               json_integer(sb_int(job, ".paused_ms") + sb->now_ms - from_ms));
    sb_set(sb, job, ".paused_from_ms", json_integer(paused ? sb->now_ms : 0));
}

static void stop_job(struct sandbox *sb, json_t *job)
{
    if (!is_live(job))
        return;
    forget_steps(sb, sb_text(job, "id"));
    set_paused(sb, job, false);
    if (!sb_int(job, ".started_ms")) {
        sb_set(sb, job, ".started_ms", json_integer(sb->now_ms));
        sb_set(sb, job, "started_at", sb_time(sb, sb->now_ms));
    }
    sb_set(sb, job, ".stopped_ms", json_integer(sb->now_ms));
    set_state(sb, job, "stopping");
    sb_schedule(sb, STOPPING_MS, "job.step", sb_text(job, "id"));
}

void sb_job_limit(struct sandbox *sb, const char *id)
{
    json_t *job = sb_job_find(sb, id);

    if (job)
        stop_job(sb, job);
}

void sb_job_fail(struct sandbox *sb, json_t *job, const char *reason)
{
    forget_steps(sb, sb_text(job, "id"));
    set_state(sb, job, "failed");
    sb_set(sb, job, "stopped_at", sb_time(sb, sb->now_ms));
    emit(sb, job, ".failure",
         sb_pack(sb, "{ss ss}", "error_type", "RecordingError", "reason", reason));
    sb_session_settle(sb, sb_text(job, "session_id"));
}

/* Calls visit for each job of the session that is live; returns how many there were. */
static size_t each_live(struct sandbox *sb, const char *session_id,
                        void (*visit)(struct sandbox *sb, json_t *job))
{
    size_t count = 0;

    for (size_t k = 0; k < JOB_KINDS; k++) {
        const char *id;
        json_t *job;

        json_object_foreach(sb_all(sb, job_kinds[k].collection), id, job)
        {
            if (!is_live(job) || !sb_is(job, "session_id", gr_str_of(session_id)))
                continue;
            count++;
            if (visit)
                visit(sb, job);
        }
    }
    return count;
}

void sb_jobs_stop(struct sandbox *sb, const char *session_id)
{
    each_live(sb, session_id, stop_job);
}

bool sb_jobs_live(struct sandbox *sb, const char *session_id)
{
    return each_live(sb, session_id, NULL) > 0;
}

static void wait_alone(struct sandbox *sb, json_t *job)
{
    sb_cancel(sb, "job.alone", sb_text(job, "id"));
    sb_schedule(sb, ALONE_MS, "job.alone", sb_text(job, "id"));
}

static void not_alone(struct sandbox *sb, json_t *job)
{
    sb_cancel(sb, "job.alone", sb_text(job, "id"));
}

void sb_jobs_alone(struct sandbox *sb, const char *session_id, bool alone)
{
    each_live(sb, session_id, alone ? wait_alone : not_alone);
}

/* --- routes --- */

static json_t *short_view(struct sandbox *sb, const json_t *job)
{
    json_t *view = sb_view(sb, job);

    if (kind_of(job)->short_list)
        sb_set(sb, view, "recording_assets", json_null());
    return view;
}

SB_HANDLER(sb_jobs_list)
{
    static const struct sb_filter filters[] = {
        {"room_id", "room_id", SB_EQUAL, NULL},
        {"session_id", "session_id", SB_EQUAL, NULL},
        {"status", "status", SB_EQUAL, NULL},
        {0},
    };
    struct sb_list list = {.collection = kind_called(call)->collection,
                           .items = "data",
                           .filters = filters,
                           .limit_default = 10,
                           .view = short_view};

    return sb_reply_list(call, sb, &list);
}

static enum gr_err job_of(struct gr_call *call, struct sandbox *sb, json_t **ret_job)
{
    *ret_job = sb_find(sb, kind_called(call)->collection, gr_param(call, "job_id"));
    return *ret_job ? GR_OK : sb_error(call, 404, "not found", NULL);
}

SB_HANDLER(sb_jobs_get)
{
    json_t *job;
    enum gr_err err = job_of(call, sb, &job);

    return err == GR_OK ? sb_reply_row(call, sb, job) : err;
}

/* The destination that the start means: the one named, else the only one, else "default". */
static enum gr_err destination_of(struct gr_call *call, struct sandbox *sb, const json_t *room,
                                  const char **ret_name)
{
    const json_t *template = sb_find_text(sb, "templates", sb_text(room, "template_id"));
    json_t *known = json_object_get(json_object_get(template, "destinations"),
                                    kind_called(call)->destination);
    const char *name = sb_text(gr_json(call), "destination");

    if (*name && json_object_size(known) && !json_object_get(known, name))
        return sb_error(call, 400, "Invalid body param: destination", "no such destination");
    if (!*name && json_object_size(known) > 1)
        return sb_error(call, 400, "Invalid body param: destination",
                        "the template has several: name one");
    if (!*name && json_object_size(known) == 1)
        name = json_object_iter_key(json_object_iter(known));
    *ret_name = *name ? name : "default";
    return GR_OK;
}

static json_t *new_job(struct sandbox *sb, const struct job_kind *kind, json_t *room,
                       const json_t *body, const char *destination)
{
    json_t *session = sb_session_open(sb, room);
    struct sb_name id = sb_new_id(sb);
    struct sb_name now = sb_stamp(sb->now_ms);
    const json_t *url = json_object_get(body, "meeting_url");
    const json_t *transcription = json_object_get(body, "transcription");
    json_t *job = sb_pack(
        sb, "{ss ss ss ss ss sn ss sn so ss ss ss ss sO*}", "id", id.text, "room_id",
        sb_text(room, "id"), "session_id", sb_text(session, "id"), "status", "starting",
        "created_at", now.text, "started_at", "updated_at", now.text, "stopped_at", "meeting_url",
        json_is_string(url) ? sb_copy(sb, url)
                            : json_sprintf("https://sandbox.example.org/preview/%s/recorder",
                                           sb_text(room, "id")),
        "destination", destination, "started_by", "", "stopped_by", "", ".kind", kind->collection,
        ".transcription", transcription);

    job = sb_put(sb, kind->collection, id.text, job);
    kind->make(sb, job, body);
    sb_set(sb, job, "recording_assets", json_null());
    sb_schedule(sb, STARTING_MS, "job.step", id.text);
    if (!json_object_size(sb_live_peers(session)))
        wait_alone(sb, job);
    return job;
}

SB_HANDLER(sb_jobs_start)
{
    const char *destination;
    json_t *room;
    enum gr_err err = sb_room_of(call, sb, false, &room);

    if (err == GR_OK)
        err = destination_of(call, sb, room, &destination);
    if (err != GR_OK)
        return err;
    return sb_reply_row(call, sb,
                        new_job(sb, kind_called(call), room, gr_json(call), destination));
}

/* The first live job of the room in the path; NULL when there is none. */
static json_t *live_in_room(struct gr_call *call, struct sandbox *sb)
{
    gr_str room_id = gr_param(call, "room_id");
    const char *id;
    json_t *job;

    json_object_foreach(sb_all(sb, kind_called(call)->collection), id, job)
    {
        if (is_live(job) && sb_is(job, "room_id", room_id))
            return job;
    }
    return NULL;
}

SB_HANDLER(sb_jobs_stop_room)
{
    const struct job_kind *kind = kind_called(call);
    json_t *data;
    json_t *room;
    json_t *job;
    struct sb_name last = {""};
    enum gr_err err = sb_room_of(call, sb, false, &room);

    if (err != GR_OK)
        return err;
    if (kind->none && !live_in_room(call, sb))
        return sb_error(call, 404, kind->none, NULL);
    data = sb_pack(sb, "[]");
    for (job = live_in_room(call, sb); job; job = live_in_room(call, sb)) {
        stop_job(sb, job);
        sb_append(sb, data, sb_view(sb, job));
        memcpy(last.text, sb_text(job, "id"), strlen(sb_text(job, "id")) + 1);
    }
    return sb_reply(call, sb,
                    sb_pack(sb, "{si so ss}", "limit", 10, "data", data, "last", last.text));
}

SB_HANDLER(sb_jobs_stop_one)
{
    json_t *job;
    enum gr_err err = job_of(call, sb, &job);

    if (err != GR_OK)
        return err;
    if (kind_of(job)->none && !is_live(job))
        return sb_error(call, 404, kind_of(job)->none, NULL);
    stop_job(sb, job);
    return sb_reply_row(call, sb, job);
}

/* ".../pause", ".../pause-recording" or the same with resume. */
static bool is_pause(const struct gr_call *call)
{
    return strncmp(strrchr(gr_route_of(call)->path, '/'), "/pause", 6) == 0;
}

static enum gr_err reply_paused(struct gr_call *call, struct sandbox *sb, json_t *job)
{
    if (!in_state(job, "running") && !in_state(job, "starting"))
        return sb_error(call, 404, kind_called(call)->none ? kind_called(call)->none : "not running",
                        NULL);
    set_paused(sb, job, is_pause(call));
    sb_set(sb, job, "updated_at", sb_time(sb, sb->now_ms));
    return sb_reply_row(call, sb, job);
}

SB_HANDLER(sb_jobs_pause_room)
{
    json_t *room;
    enum gr_err err = sb_room_of(call, sb, false, &room);

    return err == GR_OK ? reply_paused(call, sb, live_in_room(call, sb)) : err;
}

SB_HANDLER(sb_jobs_pause_one)
{
    json_t *job;
    enum gr_err err = job_of(call, sb, &job);

    return err == GR_OK ? reply_paused(call, sb, job) : err;
}

/* Not documented by the service; here the recording configuration of the room's template. */
SB_HANDLER(sb_jobs_config)
{
    const json_t *room;
    const json_t *config;
    json_t *job;
    enum gr_err err = job_of(call, sb, &job);

    if (err != GR_OK)
        return err;
    room = sb_find_text(sb, "rooms", sb_text(job, "room_id"));
    config = json_array_get(
        sb_find_text(sb, "template_recordings", sb_text(room, "template_id")), 0);
    return sb_reply(call, sb, config ? sb_copy(sb, config) : sb_pack(sb, "{}"));
}

SB_HANDLER(sb_jobs_metadata)
{
    struct sb_name id = sb_new_id(sb);
    json_t *entry;
    json_t *job;
    enum gr_err err = job_of(call, sb, &job);

    if (err != GR_OK)
        return err;
    if (!is_live(job))
        return sb_error(call, 404, kind_of(job)->none, NULL);
    entry = sb_copy(sb, gr_json(call));
    sb_set(sb, entry, "stream_id", sb_pack(sb, "s", sb_text(job, "id")));
    sb_set(sb, entry, "sent_at", sb_time(sb, sb->now_ms));
    sb_put(sb, "timed_metadata", id.text, entry);
    sb_trim(sb, "timed_metadata", SB_JOURNAL_MAX);
    return sb_reply_row(call, sb, job);
}

SB_ADMIN_HANDLER(sb_job_fail_now)
{
    const char *reason = sb_text(gr_json(call), "reason");
    json_t *job = sb_job_find(sb, gr_param(call, "job_id").ptr);

    if (!job)
        return sb_error(call, 404, "not found", NULL);
    sb_job_fail(sb, job, *reason ? reason : "told to fail");
    return sb_reply_row(call, sb, job);
}
