/*
 * JSON with the limits jansson lacks: nesting is checked on the bytes before anything recurses
 * (jansson's decoder overruns a worker's stack at some 1,600 levels).
 */
#pragma once

#include "base/buf.h"

#include <jansson.h>

enum grc_json_verdict { GRC_JSON_OK = 0, GRC_JSON_TOO_DEEP, GRC_JSON_UNBALANCED };

/* Scans brackets outside of strings. Never reads past text. Linear, no allocation. */
enum grc_json_verdict grc_json_guard(gr_str text, unsigned depth_max);

/*
 * Parses any JSON value: depth-guarded, duplicate keys refused, nothing after the value, no NUL
 * escapes (\u0000). NULL on failure with a reason for people in ret_reason (a static or
 * thread-local string; may be NULL).
 */
json_t *grc_json_parse(gr_str text, unsigned depth_max, const char **ret_reason);

/*
 * Appends the value as compact JSON, members in the order they were set: what json_dumps() prints,
 * at a fifth of its cost, since it handles strings by the run and not by the character.
 * GR_ERR_INTERNAL for NULL and for what is nested more than 300 levels deep (a loop, too).
 */
enum gr_err grc_json_write(struct grc_buf *buf, const json_t *value);
