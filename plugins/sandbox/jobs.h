/* Recordings, external streams and live streams, and their assets. */
#pragma once

#include "sandbox.h"

enum { SB_RECORDINGS, SB_EXTERNAL_STREAMS, SB_LIVE_STREAMS, SB_JOB_KINDS };

struct sb_job_kind {
    const char *collection;  /* also the first segment of the routes */
    const char *destination; /* member of a template's destinations */
    const char *hook;        /* prefix of the webhook types */
    const char *none;        /* error message when no job is live */
    bool short_list;         /* whether lists omit the assets */
    void (*make)(struct sandbox *sb, json_t *job, const json_t *body);
    /* adds the members that only events of this kind have */
    void (*describe)(struct sandbox *sb, const json_t *job, json_t *data);
};
extern const struct sb_job_kind sb_job_kinds[SB_JOB_KINDS];

const struct sb_job_kind *sb_job_kind_of(const json_t *job);
/* Returns the types of the assets of a completed job; new reference. */
json_t *sb_job_asset_types(struct sandbox *sb, const json_t *job);

/* Starts a job from a valid body, which may be NULL. */
json_t *sb_job_new(struct sandbox *sb, const struct sb_job_kind *kind, json_t *room,
                   const json_t *body, const char *destination);

bool sb_job_is(const json_t *job, const char *status);
bool sb_job_is_live(const json_t *job); /* starting or running */
/* reason: text for the event of the stop. */
void sb_job_stop(struct sandbox *sb, json_t *job, const char *reason);
void sb_job_set_paused(struct sandbox *sb, json_t *job, bool paused);
/* Starts the time-out of a job in an empty room. */
void sb_job_wait_alone(struct sandbox *sb, json_t *job);

/* Returns the targets of a stream for events, [{"url": "rtmp://…"}]; new reference. */
json_t *sb_job_rtmp(struct sandbox *sb, const json_t *job);
/* Size of the picture in pixels. */
int64_t sb_job_width(const json_t *job);
int64_t sb_job_height(const json_t *job);
/* Duration without pauses; at least 1. */
int64_t sb_job_seconds(struct sandbox *sb, const json_t *job);

/* --- job_events.c: the webhooks of a job, sent after a change of its state --- */

void sb_job_tell_started(struct sandbox *sb, const json_t *job);
void sb_job_tell_stopped(struct sandbox *sb, const json_t *job);
void sb_job_tell_failed(struct sandbox *sb, const json_t *job, const char *reason);
void sb_job_tell_completed(struct sandbox *sb, const json_t *job);

extern const struct gr_field sb_jobs_query[];
extern const struct gr_field sb_recording_start_fields[];
extern const struct gr_field sb_external_start_fields[];
extern const struct gr_field sb_metadata_fields[];
extern const struct gr_field sb_reason_fields[];

/* --- jobs.c: for the clock, sessions and the routes for tests --- */

void sb_job_step(struct sandbox *sb, const char *id);
/* Starts the recording of the template when it has autoStart. */
void sb_jobs_begin(struct sandbox *sb, json_t *room);
void sb_job_limit(struct sandbox *sb, const char *id); /* step at the maximum duration */
void sb_job_alone(struct sandbox *sb, const char *id); /* step at the time-out in an empty room */
/* Stops the live jobs of a session. */
void sb_jobs_stop(struct sandbox *sb, const char *session_id);
bool sb_jobs_live(struct sandbox *sb, const char *session_id);
/* Starts or cancels the time-out of the session's jobs in an empty room. */
void sb_jobs_alone(struct sandbox *sb, const char *session_id, bool alone);
json_t *sb_job_find(struct sandbox *sb, const char *id);
void sb_job_fail(struct sandbox *sb, json_t *job, const char *reason);

/* --- assets.c --- */

/* Makes the assets of a completed job and returns their short forms in a new array. */
json_t *sb_assets_make(struct sandbox *sb, json_t *job, const json_t *types);
/* Makes a URL for the asset that is valid for some seconds, as JSON; NULL without memory. Its base
 * is the option public_url, or the base of the latest request. */
json_t *sb_presign(struct sandbox *sb, const char *asset_id, int64_t seconds);
