/* Regular expressions over untrusted text: compiled once, then read-only and thread-safe. */
#pragma once

#include <greenroom/plugin.h>

struct grc_pattern;

/* Compiles a PCRE2 pattern that has to match a whole text. NULL with a malloc'ed reason (itself
 * NULL without memory) when it is wrong. */
struct grc_pattern *grc_pattern_new(const char *text, char **ret_reason);
void grc_pattern_free(struct grc_pattern *pattern);
/* GR_OK, GR_ERR_INVALID (no match, or more work than a check is worth), GR_ERR_NO_MEMORY. */
enum gr_err grc_pattern_match(const struct grc_pattern *pattern, gr_str text);
