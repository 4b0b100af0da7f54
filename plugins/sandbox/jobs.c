/*
 * Recordings, external streams and live streams: three kinds of job with the same states:
 *
 *     starting -> running -> stopping -> post_processing -> completed
 *
 * A job can become "failed" in every state. job_kinds.c has the differences between the kinds.
 */
#include "jobs.h"
#include "sessions.h"

#define STARTING_MS 2000
#define STOPPING_MS 1000
#define POST_PROCESSING_MS 3000
#define LIMIT_MS (4 * 3600 * INT64_C(1000))
#define ALONE_MS (5 * 60 * INT64_C(1000))

json_t *sb_job_find(struct sandbox *sb, const char *id)
{
    for (size_t i = 0; i < SB_JOB_KINDS; i++) {
        json_t *job = sb_find_text(sb, sb_job_kinds[i].collection, id);

        if (job)
            return job;
    }
    return NULL;
}

bool sb_job_is(const json_t *job, const char *status)
{
    return sb_is(job, "status", gr_str_of(status));
}

bool sb_job_is_live(const json_t *job)
{
    return sb_job_is(job, "starting") || sb_job_is(job, "running");
}

static void set_state(struct sandbox *sb, json_t *job, const char *status)
{
    sb_set(sb, job, "status", sb_pack(sb, "s", status));
    sb_set(sb, job, "updated_at", sb_time(sb, sb->now_ms));
}

/* --- states of a job --- */

static void run_job(struct sandbox *sb, json_t *job)
{
    set_state(sb, job, "running");
    sb_set(sb, job, "started_at", sb_time(sb, sb->now_ms));
    sb_set(sb, job, ".started_ms", json_integer(sb->now_ms));
    sb_schedule(sb, sb_int(job, ".limit_ms"), "job.limit", sb_text(job, "id"));
    sb_job_tell_started(sb, job);
}

static void finish(struct sandbox *sb, json_t *job)
{
    json_t *types = sb_job_asset_types(sb, job);

    sb_set(sb, job, "recording_assets", sb_assets_make(sb, job, types));
    json_decref(types);
    set_state(sb, job, "completed");
    sb_job_tell_completed(sb, job);
}

void sb_job_step(struct sandbox *sb, const char *id)
{
    json_t *job = sb_job_find(sb, id);

    if (sb_job_is(job, "starting")) {
        run_job(sb, job);
    } else if (sb_job_is(job, "stopping")) {
        set_state(sb, job, "post_processing");
        sb_set(sb, job, "stopped_at", sb_time(sb, sb_int(job, ".stopped_ms")));
        sb_job_tell_stopped(sb, job);
        sb_schedule(sb, POST_PROCESSING_MS, "job.step", id);
        sb_session_settle(sb, sb_text(job, "session_id"));
    } else if (sb_job_is(job, "post_processing")) {
        finish(sb, job);
    }
}

static void forget_steps(struct sandbox *sb, const char *id)
{
    sb_cancel(sb, "job.step", id);
    sb_cancel(sb, "job.limit", id);
    sb_cancel(sb, "job.alone", id);
}

void sb_job_set_paused(struct sandbox *sb, json_t *job, bool paused)
{
    int64_t from_ms = sb_int(job, ".paused_from_ms");

    if (paused == (from_ms != 0))
        return;
    if (!paused)
        sb_set(sb, job, ".paused_ms",
               json_integer(sb_int(job, ".paused_ms") + sb->now_ms - from_ms));
    sb_set(sb, job, ".paused_from_ms", json_integer(paused ? sb->now_ms : 0));
}

void sb_job_stop(struct sandbox *sb, json_t *job, const char *reason)
{
    if (!sb_job_is_live(job))
        return;
    forget_steps(sb, sb_text(job, "id"));
    sb_job_set_paused(sb, job, false);
    if (!sb_int(job, ".started_ms")) {
        sb_set(sb, job, ".started_ms", json_integer(sb->now_ms));
        sb_set(sb, job, "started_at", sb_time(sb, sb->now_ms));
    }
    sb_set(sb, job, ".stopped_ms", json_integer(sb->now_ms));
    sb_set(sb, job, ".reason", sb_pack(sb, "s", reason));
    set_state(sb, job, "stopping");
    sb_schedule(sb, STOPPING_MS, "job.step", sb_text(job, "id"));
}

void sb_job_limit(struct sandbox *sb, const char *id)
{
    json_t *job = sb_job_find(sb, id);

    if (job)
        sb_job_stop(sb, job, "max duration reached");
}

void sb_job_alone(struct sandbox *sb, const char *id)
{
    json_t *job = sb_job_find(sb, id);

    if (job)
        sb_job_stop(sb, job, "last peer left");
}

/* Ending a room stops its jobs with the reason of a stop by a client. */
static void stop_with_session(struct sandbox *sb, json_t *job)
{
    sb_job_stop(sb, job, "client request");
}

void sb_job_fail(struct sandbox *sb, json_t *job, const char *reason)
{
    forget_steps(sb, sb_text(job, "id"));
    set_state(sb, job, "failed");
    sb_set(sb, job, "stopped_at", sb_time(sb, sb->now_ms));
    sb_job_tell_failed(sb, job, reason);
    sb_session_settle(sb, sb_text(job, "session_id"));
}

/* Calls visit for each live job of the session and returns their number. */
static size_t each_live(struct sandbox *sb, const char *session_id,
                        void (*visit)(struct sandbox *sb, json_t *job))
{
    size_t count = 0;

    for (size_t k = 0; k < SB_JOB_KINDS; k++) {
        const char *id;
        json_t *job;

        json_object_foreach(sb_all(sb, sb_job_kinds[k].collection), id, job) {
            if (!sb_job_is_live(job) || !sb_is(job, "session_id", gr_str_of(session_id)))
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
    each_live(sb, session_id, stop_with_session);
}

bool sb_jobs_live(struct sandbox *sb, const char *session_id)
{
    return each_live(sb, session_id, NULL) > 0;
}

void sb_job_wait_alone(struct sandbox *sb, json_t *job)
{
    sb_cancel(sb, "job.alone", sb_text(job, "id"));
    sb_schedule(sb, sb_int(job, ".alone_ms"), "job.alone", sb_text(job, "id"));
}

static void not_alone(struct sandbox *sb, json_t *job)
{
    sb_cancel(sb, "job.alone", sb_text(job, "id"));
}

void sb_jobs_alone(struct sandbox *sb, const char *session_id, bool alone)
{
    each_live(sb, session_id, alone ? sb_job_wait_alone : not_alone);
}

/* --- new jobs --- */

/* Sets the maximum duration and the time-out in an empty room from the template. */
static void set_limits(struct sandbox *sb, json_t *job, const json_t *room)
{
    const char *template_id = sb_text(room, "template_id");
    const json_t *config = json_array_get(sb_find_text(sb, "template_recordings", template_id), 0);
    const json_t *all = json_object_get(sb_find_text(sb, "templates", template_id), "destinations");
    const json_t *own = json_object_get(json_object_get(all, sb_job_kind_of(job)->destination),
                                        sb_text(job, "destination"));
    int64_t limit_s = sb_int(own, "maxDuration");
    int64_t alone_s = sb_int(own, "autoStopTimeout");

    if (!own && sb_job_kind_of(job) == &sb_job_kinds[0]) {
        limit_s = sb_int(config, "maxDuration");
        alone_s = sb_int(
            json_object_get(json_object_get(config, "compositeRecording"), "browserComposite"),
            "autoStopTimeout");
    }
    sb_set(sb, job, ".limit_ms", json_integer(limit_s > 0 ? limit_s * 1000 : LIMIT_MS));
    sb_set(sb, job, ".alone_ms", json_integer(alone_s > 0 ? alone_s * 1000 : ALONE_MS));
}

/* Returns the transcription settings of the start, else those that the template enables. */
static json_t *transcription_of(struct sandbox *sb, const json_t *room, const json_t *body)
{
    const json_t *asked = json_object_get(body, "transcription");
    const json_t *template = sb_find_text(sb, "templates", sb_text(room, "template_id"));
    json_t *all = json_object_get(json_object_get(template, "destinations"), "transcriptions");
    const json_t *own = json_object_iter_value(json_object_iter(all));
    const json_t *mode;
    size_t i;

    if (json_is_object(asked))
        return sb_copy(sb, asked);
    json_array_foreach(json_object_get(own, "modes"), i, mode) {
        const char *text = json_string_value(mode);

        if (text && strcmp(text, "recorded") == 0)
            return sb_pack(sb, "{sb sO* sO*}", "enabled", 1, "output_modes",
                           json_object_get(own, "outputModes"), "summary",
                           json_object_get(own, "summary"));
    }
    return sb_pack(sb, "{}");
}

json_t *sb_job_new(struct sandbox *sb, const struct sb_job_kind *kind, json_t *room,
                   const json_t *body, const char *destination)
{
    json_t *session = sb_session_open(sb, room);
    struct sb_name id = sb_new_id(sb);
    struct sb_name peer = sb_new_uuid(sb);
    struct sb_name now = sb_stamp(sb->now_ms);
    const json_t *url = json_object_get(body, "meeting_url");
    json_t *job = sb_pack(
        sb, "{ss ss ss ss ss sn ss sn so ss ss ss ss so ss sI}", "id", id.text, "room_id",
        sb_text(room, "id"), "session_id", sb_text(session, "id"), "status", "starting",
        "created_at", now.text, "started_at", "updated_at", now.text, "stopped_at", "meeting_url",
        json_is_string(url)
            ? sb_copy(sb, url)
            : json_sprintf("https://sandbox.example.org/preview/%s/recorder", sb_text(room, "id")),
        "destination", destination, "started_by", "", "stopped_by", "", ".kind", kind->collection,
        ".transcription", transcription_of(sb, room, body), ".peer_id", peer.text, ".created_ms",
        (json_int_t)sb->now_ms);

    job = sb_put(sb, kind->collection, id.text, job);
    kind->make(sb, job, body);
    set_limits(sb, job, room);
    sb_set(sb, job, "recording_assets", json_null());
    sb_schedule(sb, STARTING_MS, "job.step", id.text);
    if (!json_object_size(sb_live_peers(session)))
        sb_job_wait_alone(sb, job);
    return job;
}

void sb_jobs_begin(struct sandbox *sb, json_t *room)
{
    const json_t *config =
        json_array_get(sb_find_text(sb, "template_recordings", sb_text(room, "template_id")), 0);
    const json_t *browser =
        json_object_get(json_object_get(config, "compositeRecording"), "browserComposite");

    if (sb_true(browser, "autoStart"))
        sb_job_new(sb, &sb_job_kinds[0], room, NULL, sb_text(config, "name"));
}
