/*
 * JSON with a limit that jansson lacks: the depth of nesting is checked on the bytes before the
 * decoder recurses (jansson's overruns the stack of a worker at about 1,600 levels).
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#include <jansson.h>

/* Deepest nesting of JSON in requests, and in answers of upstreams that are parsed. */
#define GRC_JSON_DEPTH_MAX 64u

enum grc_json_verdict { GRC_JSON_OK = 0, GRC_JSON_TOO_DEEP, GRC_JSON_UNBALANCED };

/*
 * Checks that the brackets outside of strings match and are nested at most depth_max deep. Never
 * reads past text. Linear, no allocation. *ret_memory (may be NULL) gets an upper bound of the
 * memory that a parse uses, at most three times the actual number.
 */
enum grc_json_verdict grc_json_guard(gr_str text, unsigned depth_max, size_t *ret_memory);

/*
 * Parses any JSON value. Refuses deeper nesting than depth_max, duplicate keys, anything after the
 * value, and NUL characters, also as the escape \u0000. Returns NULL on failure, with a reason for
 * people in ret_reason (a static or thread-local string; ret_reason may be NULL).
 */
json_t *grc_json_parse(gr_str text, unsigned depth_max, const char **ret_reason);

/*
 * The same with a limit of memory, since the tree takes up to eighty times as many bytes as the
 * text. Returns GR_OK with a new reference, which grc_json_drop() must release; GR_ERR_TOO_LARGE,
 * before anything is allocated, if the parse would use more than memory_max; or GR_ERR_BAD_JSON.
 * *ret_memory gets the memory that the parse uses or would use.
 */
enum gr_err grc_json_parse_within(gr_str text, unsigned depth_max, size_t memory_max,
                                  json_t **ret_value, size_t *ret_memory, const char **ret_reason);

/* Releases a value from grc_json_parse_within(). After the last large one of the process, free
 * memory of the C library is returned to the system. NULL is allowed. Thread-safe. */
void grc_json_drop(json_t *value, size_t memory);
/* Has the value released at the next reset of the arena; without memory it is released at once.
 * NULL is allowed. */
enum gr_err grc_json_defer(struct grc_arena *arena, json_t *stolen);

/* The text of a member; NULL when it is absent or no string. */
static inline const char *grc_json_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}
/* The same, with the fallback instead of NULL. */
const char *grc_json_text(const json_t *object, const char *name, const char *fallback);
/* A new array of texts; the list ends with NULL, and NULL gives an empty array. */
json_t *grc_json_list(const char *const *texts);

/*
 * Iterates over the parts of an array or an object without making a tree. The text must have passed
 * grc_json_guard(). It only finds where parts begin and end: parse each part to check that it is
 * JSON.
 */
struct grc_json_parts {
    gr_str text;
    size_t at;
    size_t count; /* of parts so far */
    bool members; /* of an object */
    bool broken;  /* it ended by an error */
};
/* Begins the iteration. Returns false if text is not an array or object. */
bool grc_json_parts_begin(struct grc_json_parts *parts, gr_str text);
/* Gets the next part, as slices of the text: the name of a member, with the quotes, and the value.
 * Returns false at the end: .at is then at the closing bracket, or .broken is set. */
bool grc_json_parts_next(struct grc_json_parts *parts, gr_str *ret_name, gr_str *ret_value);

/*
 * Appends the value as compact JSON, members in the order they were set. The text is that of
 * json_dumps(), at a fifth of the cost, since runs of plain characters are copied at once.
 * GR_ERR_INTERNAL for NULL and for nesting of more than 300 levels, which a loop has too.
 */
enum gr_err grc_json_write(struct grc_buf *buf, const json_t *value);
