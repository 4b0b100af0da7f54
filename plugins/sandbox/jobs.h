/* Handlers and fields of recordings, external streams, live streams and assets. */
#pragma once

#include "fields.h"
#include "sandbox.h"

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
