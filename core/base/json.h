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

/*
 * Checks that the brackets outside of strings match and are nested at most depth_max deep. Never
 * reads past text. Linear, no allocation. ret_memory (may be NULL): how many bytes of the process a
 * parse takes at its most; never fewer, and for no text more than three times as many.
 */
enum grc_json_verdict grc_json_guard(gr_str text, unsigned depth_max, size_t *ret_memory);

/*
 * Parses any JSON value. Refuses deeper nesting than depth_max, duplicate keys, anything after the
 * value, and NUL characters, also as the escape \u0000. Returns NULL on failure, with a reason for
 * people in ret_reason (a static or thread-local string; ret_reason may be NULL).
 */
json_t *grc_json_parse(gr_str text, unsigned depth_max, const char **ret_reason);

/*
 * The same for text whose sender is not trusted with more than so many bytes of memory: the tree of
 * a text takes up to eighty times as many bytes as the text. GR_OK with a new reference;
 * GR_ERR_TOO_LARGE when a parse would take more than memory_max, before it takes any;
 * GR_ERR_BAD_JSON. ret_memory: what the parse took, or would have taken; for grc_json_drop(), which
 * wants to be called.
 */
enum gr_err grc_json_parse_within(gr_str text, unsigned depth_max, size_t memory_max,
                                  json_t **ret_value, size_t *ret_memory, const char **ret_reason);

/* Releases a value from grc_json_parse_within(). When the last large one of the process goes, what
 * the C library keeps of their memory goes back to the system. NULL is fine. Thread-safe. */
void grc_json_drop(json_t *value, size_t memory);

/*
 * The parts of an array or an object, one after the other, without a tree. It relies on a text that
 * grc_json_guard() has found good, and finds only where parts begin and end: parse each of them to
 * know that it is JSON.
 */
struct grc_json_parts {
    gr_str text;
    size_t at;
    size_t count; /* of parts so far */
    bool members; /* of an object */
    bool broken;  /* it ended by an error */
};
/* Begins with the value that text is. False: it is no array and no object. */
bool grc_json_parts_begin(struct grc_json_parts *parts, gr_str text);
/* The next part, slices of the text: its name with the quotes (an object's) and its value. False:
 * there is none; .at is where the closing bracket is, or .broken is set. */
bool grc_json_parts_next(struct grc_json_parts *parts, gr_str *ret_name, gr_str *ret_value);

/*
 * Appends the value as compact JSON, members in the order they were set. The text is that of
 * json_dumps(), at a fifth of the cost, since runs of plain characters are copied at once.
 * GR_ERR_INTERNAL for NULL and for nesting of more than 300 levels, which a loop has too.
 */
enum gr_err grc_json_write(struct grc_buf *buf, const json_t *value);
