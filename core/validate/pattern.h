/* Regular expressions over untrusted text: compiled once, then read-only and thread-safe. */
#pragma once

#include <greenroom/plugin.h>

struct grc_pattern;

/* Compiles a PCRE2 pattern that has to match a whole text. Returns NULL when it is wrong, with a
 * malloc'ed reason (NULL without memory). */
struct grc_pattern *grc_pattern_new(const char *text, char **ret_reason);
void grc_pattern_free(struct grc_pattern *pattern);
/* Returns GR_OK, GR_ERR_INVALID (no match, or the work exceeded its limit) or GR_ERR_NO_MEMORY. */
enum gr_err grc_pattern_match(const struct grc_pattern *pattern, gr_str text);
