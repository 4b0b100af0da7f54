/* A config as it was understood: every value and where it came from. */
#pragma once

#include "config/setting.h"

/*
 * Between the two, everything that reads config files is written down: grc_settings_load(), and
 * grc_options_parse() of each plugin that is loaded. Secrets are not, nor what may be one by its
 * name.
 */
/* digests: each entry also has "digest", a number that tells two values of this process apart,
 * masked ones too. */
void grc_show_begin(bool digests);
/* An array of {"file", "path", "value", "origin": "file", "variable" or "default", "at":
 * "FILE:LINE:COLUMN", "variable": "NAME", "written": "${NAME}"}. New reference; NULL without
 * memory. */
json_t *grc_show_end(void);
