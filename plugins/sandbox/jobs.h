/* Recordings, external streams and live streams, and the assets they leave behind. */
#pragma once

#include "sandbox.h"

enum { SB_RECORDINGS, SB_EXTERNAL_STREAMS, SB_LIVE_STREAMS, SB_JOB_KINDS };

struct sb_job_kind {
    const char *collection;  /* also the first segment of its routes */
    const char *destination; /* where a template keeps its destinations */
    const char *hook;        /* begin of its webhook types */
    const char *none;        /* the error when none runs */
    bool short_list;         /* lists do not show assets */
    void (*make)(struct sandbox *sb, json_t *job, const json_t *body);
    /* adds what only the events of this kind say of a run */
    void (*describe)(struct sandbox *sb, const json_t *job, json_t *data);
};
extern const struct sb_job_kind sb_job_kinds[SB_JOB_KINDS];

const struct sb_job_kind *sb_job_kind_of(const json_t *job);
/* The types of asset that a completed job leaves behind; new reference. */
json_t *sb_job_asset_types(struct sandbox *sb, const json_t *job);

/* Starts a job from a checked body, which may be NULL. */
json_t *sb_job_new(struct sandbox *sb, const struct sb_job_kind *kind, json_t *room,
                   const json_t *body, const char *destination);

bool sb_job_is(const json_t *job, const char *status);
bool sb_job_is_live(const json_t *job); /* starting or running */
/* reason: what the event of the stop gives. */
void sb_job_stop(struct sandbox *sb, json_t *job, const char *reason);
void sb_job_set_paused(struct sandbox *sb, json_t *job, bool paused);
/* Begins the wait that ends a job in an empty room. */
void sb_job_wait_alone(struct sandbox *sb, json_t *job);

/* [{"url": "rtmp://…"}], as events show where a stream goes; new reference. */
json_t *sb_job_rtmp(struct sandbox *sb, const json_t *job);
/* The picture in pixels. */
int64_t sb_job_width(const json_t *job);
int64_t sb_job_height(const json_t *job);
/* How long it ran, pauses left out; at least 1. */
int64_t sb_job_seconds(struct sandbox *sb, const json_t *job);

/* --- job_events.c: the webhooks of a job, each when its state has changed --- */

void sb_job_tell_started(struct sandbox *sb, const json_t *job);
void sb_job_tell_stopped(struct sandbox *sb, const json_t *job);
void sb_job_tell_failed(struct sandbox *sb, const json_t *job, const char *reason);
void sb_job_tell_completed(struct sandbox *sb, const json_t *job);

extern const struct gr_field sb_jobs_query[];
extern const struct gr_field sb_recording_start_fields[];
extern const struct gr_field sb_external_start_fields[];
extern const struct gr_field sb_live_start_fields[];
extern const struct gr_field sb_metadata_fields[];
extern const struct gr_field sb_reason_fields[];

/* --- jobs.c: what the clock, sessions and the sandbox's own routes want --- */

void sb_job_step(struct sandbox *sb, const char *id);
/* Starts the recording that the template wants with a session. */
void sb_jobs_begin(struct sandbox *sb, json_t *room);
void sb_job_limit(struct sandbox *sb, const char *id); /* maximum duration reached */
void sb_job_alone(struct sandbox *sb, const char *id); /* too long in an empty room */
/* Stops what runs in that session. */
void sb_jobs_stop(struct sandbox *sb, const char *session_id);
bool sb_jobs_live(struct sandbox *sb, const char *session_id);
/* Starts or ends the wait of jobs that stop by themselves in an empty room. */
void sb_jobs_alone(struct sandbox *sb, const char *session_id, bool alone);
json_t *sb_job_find(struct sandbox *sb, const char *id);
void sb_job_fail(struct sandbox *sb, json_t *job, const char *reason);

/* --- assets.c --- */

/* Makes the assets of a completed job and returns their short forms, as a new array. */
json_t *sb_assets_make(struct sandbox *sb, json_t *job, const json_t *types);
/* A URL from which the asset can be fetched for so long, as JSON; NULL without memory. It begins
 * with the option public_url, or as the latest request began. */
json_t *sb_presign(struct sandbox *sb, const char *asset_id, int64_t seconds);
