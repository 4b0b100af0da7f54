/* The routes of recordings, external streams and live streams: the same handlers for all three. */
#include "jobs.h"

static json_t *short_view(struct sandbox *sb, const json_t *job)
{
    json_t *view = sb_view(sb, job);

    if (sb_job_kind_of(job)->short_list)
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
    struct sb_list list = {.collection = sb_job_kind_called(call)->collection,
                           .items = "data",
                           .filters = filters,
                           .limit_default = 10,
                           .view = short_view};

    return sb_reply_list(call, sb, &list);
}

static enum gr_err job_of(struct gr_call *call, struct sandbox *sb, json_t **ret_job)
{
    *ret_job = sb_find(sb, sb_job_kind_called(call)->collection, gr_param(call, "job_id"));
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
                                    sb_job_kind_called(call)->destination);
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

/* The room of the path. The service looks up what the token may do before it looks for the room, so
 * that an unknown room is one without permission. */
static enum gr_err room_of(struct gr_call *call, struct sandbox *sb, json_t **ret_room)
{
    *ret_room = sb_find(sb, "rooms", gr_param(call, "room_id"));
    return *ret_room ? GR_OK : sb_error(call, 403, "user does not have required permission", NULL);
}

/* The first live job of the room in the path; NULL when there is none. */
static json_t *live_in_room(struct gr_call *call, struct sandbox *sb)
{
    gr_str room_id = gr_param(call, "room_id");
    const char *id;
    json_t *job;

    json_object_foreach(sb_all(sb, sb_job_kind_called(call)->collection), id, job) {
        if (sb_job_is_live(job) && sb_is(job, "room_id", room_id))
            return job;
    }
    return NULL;
}

/* What the field rows cannot say about the body of a start. */
static enum gr_err check_start(struct gr_call *call)
{
    const json_t *url = json_object_get(gr_json(call), "meeting_url");

    if (!gr_body(call).len)
        return sb_error(call, 400, SB_NO_BODY, NULL);
    if (url && !json_string_length(url))
        return sb_error(call, 400, "invalid input", NULL);
    return GR_OK;
}

SB_HANDLER(sb_jobs_start)
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
    return sb_reply_row(call, sb,
                        sb_job_new(sb, sb_job_kind_called(call), room, gr_json(call), destination));
}

SB_HANDLER(sb_jobs_stop_room)
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
        return sb_error(call, 404, sb_job_kind_called(call)->none, NULL);
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

SB_HANDLER(sb_jobs_stop_one)
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

/* ".../pause", ".../pause-recording" or the same with resume. */
static bool is_pause(const struct gr_call *call)
{
    return strncmp(strrchr(gr_route_of(call)->path, '/'), "/pause", 6) == 0;
}

static enum gr_err reply_paused(struct gr_call *call, struct sandbox *sb, json_t *job)
{
    if (!sb_job_is_live(job))
        return sb_error(call, 404, sb_job_kind_called(call)->none, NULL);
    sb_job_set_paused(sb, job, is_pause(call));
    sb_set(sb, job, "updated_at", sb_time(sb, sb->now_ms));
    return sb_reply_row(call, sb, job);
}

SB_HANDLER(sb_jobs_pause_room)
{
    json_t *room = NULL;
    enum gr_err err = room_of(call, sb, &room);

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

SB_HANDLER(sb_jobs_metadata)
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

SB_ADMIN_HANDLER(sb_job_fail_now)
{
    const char *reason = sb_text(gr_json(call), "reason");
    json_t *job = sb_job_find(sb, gr_param(call, "job_id").ptr);

    if (!job)
        return sb_error(call, 404, "not found", NULL);
    sb_job_fail(sb, job, *reason ? reason : "told to fail");
    return sb_reply_row(call, sb, job);
}
