/* Handlers and fields of the template routes; see templates.inc. */
#pragma once

#include "sandbox.h"

gr_handler sb_templates_list;
gr_handler sb_templates_get;
gr_handler sb_templates_create;
gr_handler sb_templates_update;
gr_handler sb_templates_role_get;
gr_handler sb_templates_role_put;
gr_handler sb_templates_role_delete;
gr_handler sb_templates_part_get;
gr_handler sb_templates_part_put;
gr_handler sb_templates_recordings_get;
gr_handler sb_templates_recordings_put;

extern const struct gr_field sb_role_fields[];
extern const struct gr_field sb_settings_fields[];
extern const struct gr_field sb_destinations_fields[];
extern const struct gr_field sb_summary_fields[];
extern const struct gr_field sb_template_create_fields[];
extern const struct gr_field sb_template_update_fields[];
extern const struct gr_field sb_template_recording_fields[];
