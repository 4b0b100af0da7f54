/* Sets "enabled" in the text of a plugins.d file. */
#pragma once

#include "base/buf.h"

/* Appends text with "enabled" set; every other byte stays, comments too. text is a JSON object, as
 * config files have them. */
enum gr_err grc_enabled_set(struct grc_buf *buf, gr_str text, bool enabled);
