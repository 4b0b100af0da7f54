/* The values of a config, with their sources. */
#pragma once

#include "config/setting.h"

/*
 * Between these calls, all values are recorded that grc_settings_load() and grc_options_parse()
 * read. Secrets are masked, and so are values that may be secrets by their names.
 */
/* digests: each entry also has "digest", a number that differs for different values, also for
 * masked ones. It is only comparable within this process. */
void grc_show_begin(bool digests);
/* An array of {"file", "path", "value", "origin": "file", "variable" or "default", "at":
 * "FILE:LINE:COLUMN", "variable": "NAME", "written": "${NAME}"}. New reference; NULL without
 * memory. */
json_t *grc_show_end(void);
