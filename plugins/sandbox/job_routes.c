/* The routes of recordings, external streams and live streams, which share their handlers. */
#include "jobs.h"
#include "rooms.h"
#include "routes.h"

/* The kind of job of the route. */
static const struct sb_job_kind *kind_of(const struct gr_call *call)
{
    return sb_endpoint_of(call)->of;
}

static json_t *short_view(struct sandbox *sb, const json_t *job)
{
    json_t *view = sb_view(sb, job);

    if (sb_job_kind_of(job)->short_list)
        sb_set(sb, view, "recording_assets", json_null());
    return view;
}

static enum gr_err jobs_list(struct gr_call *call, struct sandbox *sb)
{
    static const struct sb_filter filters[] = {
        {"room_id", "room_id", SB_EQUAL, NULL},
        {"session_id", "session_id", SB_EQUAL, NULL},
        {"status", "status", SB_EQUAL, NULL},
        {0},
    };
    struct sb_list list = {.collection = kind_of(call)->collection,
                           .items = "data",
                           .filters = filters,
                           .limit_default = 10,
                           .view = short_view};

    return sb_reply_list(call, sb, &list);
}

static enum gr_err job_of(struct gr_call *call, struct sandbox *sb, json_t **ret_job)
{
    *ret_job = sb_find(sb, kind_of(call)->collection, gr_param(call, "job_id"));
    return *ret_job ? GR_OK : sb_error(call, 404, "not found", NULL);
}

static enum gr_err jobs_get(struct gr_call *call, struct sandbox *sb)
{
    json_t *job;
    enum gr_err err = job_of(call, sb, &job);

    return err == GR_OK ? sb_reply_row(call, sb, job) : err;
}

/* Finds the destination of a start: from the body, else the only one of the template, else
 * "default". */
static enum gr_err destination_of(struct gr_call *call, struct sandbox *sb, const json_t *room,
                                  const char **ret_name)
{
    const json_t *template = sb_find_text(sb, "templates", sb_text(room, "template_id"));
    json_t *known =
        json_object_get(json_object_get(template, "destinations"), kind_of(call)->destination);
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

/* The room of the path. The service checks the permission first, so an unknown room is 403. */
static enum gr_err room_of(struct gr_call *call, struct sandbox *sb, json_t **ret_room)
{
    *ret_room = sb_find(sb, "rooms", gr_param(call, "room_id"));
    return *ret_room ? GR_OK : sb_error(call, 403, "user does not have required permission", NULL);
}

/* Returns the first live job of the room in the path; NULL when there is none. */
static json_t *live_in_room(struct gr_call *call, struct sandbox *sb)
{
    gr_str room_id = gr_param(call, "room_id");
    const char *id;
    json_t *job;

    json_object_foreach(sb_all(sb, kind_of(call)->collection), id, job) {
        if (sb_job_is_live(job) && sb_is(job, "room_id", room_id))
            return job;
    }
    return NULL;
}

/* Checks what the field rows of a start cannot express. */
static enum gr_err check_start(struct gr_call *call)
{
    const json_t *url = json_object_get(gr_json(call), "meeting_url");

    if (!gr_body(call).len)
        return sb_error(call, 400, SB_NO_BODY, NULL);
    if (url && !json_string_length(url))
        return sb_error(call, 400, "invalid input", NULL);
    return GR_OK;
}

static enum gr_err jobs_start(struct gr_call *call, struct sandbox *sb)
{
    const char *destination = NULL;
    json_t *room = NULL;
    enum gr_err err = check_start(call);

    if (err == GR_OK)
        err = room_of(call, sb, &room);
    if (err == GR_OK)
        err = destination_of(call, sb, room, &destination);
    if (err == GR_OK && live_in_room(call, sb))
        err = sb_error(call, 409, "beam already started", NULL);
    if (err != GR_OK)
        return err;
    return sb_reply_row(call, sb, sb_job_new(sb, kind_of(call), room, gr_json(call), destination));
}

static enum gr_err jobs_stop_room(struct gr_call *call, struct sandbox *sb)
{
    json_t *data;
    json_t *room = NULL;
    json_t *job = NULL;
    struct sb_name last = {""};
    enum gr_err err = room_of(call, sb, &room);

    if (err != GR_OK)
        return err;
    job = live_in_room(call, sb);
    if (!job)
        return sb_error(call, 404, kind_of(call)->none, NULL);
    data = sb_pack(sb, "[]");
    for (; job; job = live_in_room(call, sb)) {
        sb_job_stop(sb, job, "client request");
        sb_append(sb, data, sb_view(sb, job));
        memcpy(last.text, sb_text(job, "id"), strlen(sb_text(job, "id")) + 1);
    }
    return sb_reply(call, sb,
                    sb_pack(sb, "{sI so ss}", "limit", (json_int_t)json_array_size(data), "data",
                            data, "last", last.text));
}

static enum gr_err jobs_stop_one(struct gr_call *call, struct sandbox *sb)
{
    json_t *job;
    enum gr_err err = job_of(call, sb, &job);

    if (err != GR_OK)
        return err;
    if (!sb_job_is_live(job))
        return sb_error(call, 404, sb_job_kind_of(job)->none, NULL);
    sb_job_stop(sb, job, "client request");
    return sb_reply_row(call, sb, job);
}

/* Pauses or resumes the job. Fails with 404 when it is NULL or not live. */
static enum gr_err reply_paused(struct gr_call *call, struct sandbox *sb, json_t *job, bool paused)
{
    if (!sb_job_is_live(job))
        return sb_error(call, 404, kind_of(call)->none, NULL);
    sb_job_set_paused(sb, job, paused);
    sb_set(sb, job, "updated_at", sb_time(sb, sb->now_ms));
    return sb_reply_row(call, sb, job);
}

static enum gr_err set_paused_in_room(struct gr_call *call, struct sandbox *sb, bool paused)
{
    json_t *room = NULL;
    enum gr_err err = room_of(call, sb, &room);

    return err == GR_OK ? reply_paused(call, sb, live_in_room(call, sb), paused) : err;
}

static enum gr_err set_paused(struct gr_call *call, struct sandbox *sb, bool paused)
{
    json_t *job;
    enum gr_err err = job_of(call, sb, &job);

    return err == GR_OK ? reply_paused(call, sb, job, paused) : err;
}

static enum gr_err jobs_pause_room(struct gr_call *call, struct sandbox *sb)
{
    return set_paused_in_room(call, sb, true);
}

static enum gr_err jobs_resume_room(struct gr_call *call, struct sandbox *sb)
{
    return set_paused_in_room(call, sb, false);
}

static enum gr_err jobs_pause_one(struct gr_call *call, struct sandbox *sb)
{
    return set_paused(call, sb, true);
}

static enum gr_err jobs_resume_one(struct gr_call *call, struct sandbox *sb)
{
    return set_paused(call, sb, false);
}

/* 100ms does not document this route; the sandbox answers the template's recording configuration.
 */
static enum gr_err jobs_config(struct gr_call *call, struct sandbox *sb)
{
    const json_t *room = NULL;
    const json_t *config;
    json_t *job;
    enum gr_err err = job_of(call, sb, &job);

    if (err != GR_OK)
        return err;
    room = sb_find_text(sb, "rooms", sb_text(job, "room_id"));
    config =
        json_array_get(sb_find_text(sb, "template_recordings", sb_text(room, "template_id")), 0);
    return sb_reply(call, sb, config ? sb_copy(sb, config) : sb_pack(sb, "{}"));
}

static enum gr_err jobs_metadata(struct gr_call *call, struct sandbox *sb)
{
    struct sb_name id = sb_new_id(sb);
    json_t *entry;
    json_t *job;
    enum gr_err err = job_of(call, sb, &job);

    if (err != GR_OK)
        return err;
    if (!sb_job_is_live(job))
        return sb_error(call, 404, sb_job_kind_of(job)->none, NULL);
    entry = sb_copy(sb, gr_json(call));
    sb_set(sb, entry, "stream_id", sb_pack(sb, "s", sb_text(job, "id")));
    sb_set(sb, entry, "sent_at", sb_time(sb, sb->now_ms));
    sb_put(sb, "timed_metadata", id.text, entry);
    sb_trim(sb, "timed_metadata", SB_JOURNAL_MAX);
    return sb_reply_row(call, sb, job);
}

static enum gr_err job_fail_now(struct gr_call *call, struct sandbox *sb)
{
    const char *reason = sb_text(gr_json(call), "reason");
    json_t *job = sb_job_find(sb, gr_param(call, "job_id").ptr);

    if (!job)
        return sb_error(call, 404, "not found", NULL);
    sb_job_fail(sb, job, *reason ? reason : "failed on request");
    return sb_reply_row(call, sb, job);
}

const struct gr_route sb_job_routes[] = {
    SB_ADMIN(POST, "/jobs/{job_id}/fail", "admin.job_fail", "Let a recording or stream fail",
             .body = GR_BODY(GR_OBJECT, .fields = sb_reason_fields), SB_RUN_ADMIN(job_fail_now)),
    SB_GET("/recordings", "recordings.list", "List recordings", .query = sb_jobs_query,
           SB_RUN(jobs_list, .of = &sb_job_kinds[SB_RECORDINGS])),
    SB_GET("/recordings/{job_id}", "recordings.get", "Fetch a recording",
           SB_RUN(jobs_get, .of = &sb_job_kinds[SB_RECORDINGS])),
    SB_GET("/recordings/{job_id}/config", "recordings.config",
           "Fetch the configuration of a recording",
           SB_RUN(jobs_config, .of = &sb_job_kinds[SB_RECORDINGS])),
    SB_POST("/recordings/room/{room_id}/start", "recordings.start", "Start a recording",
            .body = GR_BODY(GR_OBJECT, .fields = sb_recording_start_fields),
            SB_RUN(jobs_start, .of = &sb_job_kinds[SB_RECORDINGS])),
    SB_POST("/recordings/room/{room_id}/stop", "recordings.stop_room",
            "Stop the recordings of a room",
            SB_RUN(jobs_stop_room, .of = &sb_job_kinds[SB_RECORDINGS])),
    SB_POST("/recordings/room/{room_id}/pause", "recordings.pause", "Pause the recording of a room",
            SB_RUN(jobs_pause_room, .of = &sb_job_kinds[SB_RECORDINGS])),
    SB_POST("/recordings/room/{room_id}/resume", "recordings.resume",
            "Resume the recording of a room",
            SB_RUN(jobs_resume_room, .of = &sb_job_kinds[SB_RECORDINGS])),
    SB_POST("/recordings/{job_id}/stop", "recordings.stop", "Stop a recording",
            SB_RUN(jobs_stop_one, .of = &sb_job_kinds[SB_RECORDINGS])),
    SB_GET("/external-streams", "external_streams.list", "List external streams",
           .query = sb_jobs_query, SB_RUN(jobs_list, .of = &sb_job_kinds[SB_EXTERNAL_STREAMS])),
    SB_GET("/external-streams/{job_id}", "external_streams.get", "Fetch an external stream",
           SB_RUN(jobs_get, .of = &sb_job_kinds[SB_EXTERNAL_STREAMS])),
    SB_POST("/external-streams/room/{room_id}/start", "external_streams.start",
            "Start an external stream",
            .body = GR_BODY(GR_OBJECT, .fields = sb_external_start_fields),
            SB_RUN(jobs_start, .of = &sb_job_kinds[SB_EXTERNAL_STREAMS])),
    SB_POST("/external-streams/room/{room_id}/stop", "external_streams.stop_room",
            "Stop the external streams of a room",
            SB_RUN(jobs_stop_room, .of = &sb_job_kinds[SB_EXTERNAL_STREAMS])),
    SB_POST("/external-streams/{job_id}/stop", "external_streams.stop", "Stop an external stream",
            SB_RUN(jobs_stop_one, .of = &sb_job_kinds[SB_EXTERNAL_STREAMS])),
    SB_GET("/live-streams", "live_streams.list", "List live streams", .query = sb_jobs_query,
           SB_RUN(jobs_list, .of = &sb_job_kinds[SB_LIVE_STREAMS])),
    SB_GET("/live-streams/{job_id}", "live_streams.get", "Fetch a live stream",
           SB_RUN(jobs_get, .of = &sb_job_kinds[SB_LIVE_STREAMS])),
    SB_POST("/live-streams/room/{room_id}/start", "live_streams.start", "Start a live stream",
            .body = GR_BODY(GR_OBJECT, .fields = hms_live_start),
            SB_RUN(jobs_start, .of = &sb_job_kinds[SB_LIVE_STREAMS])),
    SB_POST("/live-streams/room/{room_id}/stop", "live_streams.stop_room",
            "Stop the live streams of a room",
            SB_RUN(jobs_stop_room, .of = &sb_job_kinds[SB_LIVE_STREAMS])),
    SB_POST("/live-streams/{job_id}/stop", "live_streams.stop", "Stop a live stream",
            SB_RUN(jobs_stop_one, .of = &sb_job_kinds[SB_LIVE_STREAMS])),
    SB_POST("/live-streams/{job_id}/timed-metadata", "live_streams.metadata",
            "Insert timed metadata into a stream",
            .body = GR_BODY(GR_OBJECT, .fields = sb_metadata_fields, .flags = GR_FIELD_REQUIRED),
            SB_RUN(jobs_metadata, .of = &sb_job_kinds[SB_LIVE_STREAMS])),
    SB_POST("/live-streams/{job_id}/pause-recording", "live_streams.pause_recording",
            "Pause the recording of a live stream",
            SB_RUN(jobs_pause_one, .of = &sb_job_kinds[SB_LIVE_STREAMS])),
    SB_POST("/live-streams/{job_id}/resume-recording", "live_streams.resume_recording",
            "Resume the recording of a live stream",
            SB_RUN(jobs_resume_one, .of = &sb_job_kinds[SB_LIVE_STREAMS])),
    GR_END,
};
