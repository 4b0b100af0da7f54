/* Changes one plugins.d file and nothing else in it. */
#pragma once

#include "base/buf.h"

/*
 * Finds the value of a member of the outermost object in a text that is known to be JSON.
 * false: there is none of that name; then ret_at is just behind the "{" and ret_len 0.
 */
bool grc_member_find(gr_str text, const char *name, size_t *ret_at, size_t *ret_len);

/* Appends text with "enabled" set; every other byte stays. text is a JSON object. */
enum gr_err grc_enabled_set(struct grc_buf *buf, gr_str text, bool enabled);
