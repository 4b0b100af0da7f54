/*
 * JSON with a limit that jansson lacks: the depth of nesting is checked on the bytes before the
 * decoder recurses (jansson's overruns the stack of a worker at about 1,600 levels).
 */
#pragma once

#include "base/buf.h"

#include <jansson.h>

/* Deepest nesting of a request, and of an upstream's answer that is read. */
#define GRC_JSON_DEPTH_MAX 64u

enum grc_json_verdict { GRC_JSON_OK = 0, GRC_JSON_TOO_DEEP, GRC_JSON_UNBALANCED };

/* Checks that the brackets outside of strings match and are nested at most depth_max deep. Never
 * reads past text. Linear, no allocation. */
enum grc_json_verdict grc_json_guard(gr_str text, unsigned depth_max);

/*
 * Parses any JSON value. Refuses deeper nesting than depth_max, duplicate keys, anything after the
 * value, and NUL characters, also as the escape \u0000. Returns NULL on failure, with a reason for
 * people in ret_reason (a static or thread-local string; ret_reason may be NULL).
 */
json_t *grc_json_parse(gr_str text, unsigned depth_max, const char **ret_reason);

/*
 * Appends the value as compact JSON, members in the order they were set. The text is that of
 * json_dumps(), at a fifth of the cost, since runs of plain characters are copied at once.
 * GR_ERR_INTERNAL for NULL and for nesting of more than 300 levels, which a loop has too.
 */
enum gr_err grc_json_write(struct grc_buf *buf, const json_t *value);
