/* Handlers and fields of recordings, external streams, live streams and assets. */
#pragma once

#include "fields.h"
#include "sandbox.h"

#define SB_JOB_KINDS 3

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
/* By the first segment of the route. */
const struct sb_job_kind *sb_job_kind_called(const struct gr_call *call);
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

/* --- job_events.c: the webhooks of a job, each when its state has changed --- */

void sb_job_tell_started(struct sandbox *sb, const json_t *job);
void sb_job_tell_stopped(struct sandbox *sb, const json_t *job);
void sb_job_tell_failed(struct sandbox *sb, const json_t *job, const char *reason);
void sb_job_tell_completed(struct sandbox *sb, const json_t *job);
int64_t sb_job_width(const json_t *job);
int64_t sb_job_height(const json_t *job);
/* How long it ran, pauses left out; at least 1. */
int64_t sb_job_seconds(struct sandbox *sb, const json_t *job);

gr_handler sb_jobs_list;
gr_handler sb_jobs_get;
gr_handler sb_jobs_start;
gr_handler sb_jobs_stop_room;
gr_handler sb_jobs_stop_one;
gr_handler sb_jobs_pause_room;
gr_handler sb_jobs_pause_one;
gr_handler sb_jobs_config;
gr_handler sb_jobs_metadata;
gr_handler sb_job_fail_now;
gr_handler sb_assets_list;
gr_handler sb_assets_get;
gr_handler sb_assets_presign;
gr_handler sb_assets_file;

extern const struct gr_field sb_jobs_query[];
extern const struct gr_field sb_recording_start_fields[];
extern const struct gr_field sb_external_start_fields[];
extern const struct gr_field sb_live_start_fields[];
extern const struct gr_field sb_metadata_fields[];
extern const struct gr_field sb_reason_fields[];
extern const struct gr_field sb_assets_query[];
extern const struct gr_field sb_presign_query[];
