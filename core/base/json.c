#include "base/json_read.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <stdio.h>

/* WRITE_DEPTH_MAX: the depth that the parser allows, and the few levels that an answer wraps around
 * a parsed value. */
enum { REASON_BYTES = 160, WRITE_DEPTH_MAX = 300 };

static const char *explain(gr_str text, const char *what, size_t at)
{
    static _Thread_local char reason[REASON_BYTES];
    unsigned line;
    unsigned column;

    grc_utf8_place(text, at, &line, &column);
    snprintf(reason, sizeof(reason), "%s at line %u, column %u", what, line, column);
    return reason;
}

static enum gr_err refuse(const char **ret_reason, enum gr_err err, const char *reason)
{
    if (ret_reason)
        *ret_reason = reason;
    return err;
}

static enum gr_err parse(gr_str text, unsigned depth_max, size_t memory_max, json_t **ret_value,
                         size_t *ret_memory, const char **ret_reason)
{
    const char *what;
    size_t memory = 0;
    size_t at;

    *ret_value = NULL;
    switch (grc_json_guard(text, depth_max, &memory)) {
    case GRC_JSON_OK:
        break;
    case GRC_JSON_TOO_DEEP:
        return refuse(ret_reason, GR_ERR_BAD_JSON, "nested too deeply");
    case GRC_JSON_UNBALANCED:
        return refuse(ret_reason, GR_ERR_BAD_JSON, "brackets or quotes do not match");
    }
    if (ret_memory)
        *ret_memory = memory;
    if (memory > memory_max)
        return refuse(ret_reason, GR_ERR_TOO_LARGE, "it has too many values");
    *ret_value = grc_json_read(text.len ? text : GR_STR(""), &what, &at);
    if (!*ret_value)
        return refuse(ret_reason, GR_ERR_BAD_JSON, explain(text, what, at));
    return GR_OK;
}

enum gr_err grc_json_parse_within(gr_str text, unsigned depth_max, size_t memory_max,
                                  json_t **ret_value, size_t *ret_memory, const char **ret_reason)
{
    enum gr_err err = parse(text, depth_max, memory_max, ret_value, ret_memory, ret_reason);

    if (err == GR_OK)
        grc_memory_taken(*ret_memory);
    return err;
}

void grc_json_drop(json_t *value, size_t memory)
{
    if (!value)
        return;
    json_decref(value);
    grc_memory_freed(memory);
}

static void release(void *value)
{
    json_decref(value);
}

enum gr_err grc_json_defer(struct grc_arena *arena, json_t *stolen)
{
    return grc_arena_defer(arena, release, stolen);
}

json_t *grc_json_parse(gr_str text, unsigned depth_max, const char **ret_reason)
{
    json_t *value = NULL;

    (void)parse(text, depth_max, SIZE_MAX, &value, NULL, ret_reason);
    return value;
}

/* --- writing --- */

static enum gr_err write_value(struct grc_buf *buf, const json_t *value, unsigned depth);

static enum gr_err write_array(struct grc_buf *buf, const json_t *array, unsigned depth)
{
    size_t count = json_array_size(array);
    enum gr_err err = grc_buf_char(buf, '[');

    for (size_t i = 0; err == GR_OK && i < count; i++) {
        if (i)
            err = grc_buf_char(buf, ',');
        if (err == GR_OK)
            err = write_value(buf, json_array_get(array, i), depth);
    }
    return err == GR_OK ? grc_buf_char(buf, ']') : err;
}

static enum gr_err write_object(struct grc_buf *buf, const json_t *value, unsigned depth)
{
    /* jansson's iterator wants a mutable object, though it changes nothing. */
    json_t *object = (json_t *)(uintptr_t)value;
    enum gr_err err = grc_buf_char(buf, '{');

    for (void *at = json_object_iter(object); err == GR_OK && at;) {
        gr_str name = {json_object_iter_key(at), json_object_iter_key_len(at)};

        err = grc_buf_json_string(buf, name);
        if (err == GR_OK)
            err = grc_buf_char(buf, ':');
        if (err == GR_OK)
            err = write_value(buf, json_object_iter_value(at), depth);
        at = json_object_iter_next(object, at);
        if (err == GR_OK && at)
            err = grc_buf_char(buf, ',');
    }
    return err == GR_OK ? grc_buf_char(buf, '}') : err;
}

static enum gr_err write_real(struct grc_buf *buf, const json_t *value)
{
    char text[64];
    size_t len = json_dumpb(value, text, sizeof(text), JSON_ENCODE_ANY);

    return len && len <= sizeof(text) ? grc_buf_add(buf, text, len) : GR_ERR_INTERNAL;
}

static enum gr_err write_value(struct grc_buf *buf, const json_t *value, unsigned depth)
{
    if (!value || depth == 0)
        return GR_ERR_INTERNAL;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return write_object(buf, value, depth - 1);
    case JSON_ARRAY:
        return write_array(buf, value, depth - 1);
    case JSON_STRING:
        return grc_buf_json_string(buf,
                                   (gr_str){json_string_value(value), json_string_length(value)});
    case JSON_INTEGER:
        return grc_buf_int(buf, json_integer_value(value));
    case JSON_REAL:
        return write_real(buf, value);
    case JSON_TRUE:
        return grc_buf_text(buf, "true");
    case JSON_FALSE:
        return grc_buf_text(buf, "false");
    case JSON_NULL:
        return grc_buf_text(buf, "null");
    }
    return GR_ERR_INTERNAL;
}

enum gr_err grc_json_write(struct grc_buf *buf, const json_t *value)
{
    return write_value(buf, value, WRITE_DEPTH_MAX);
}

const char *grc_json_text(const json_t *object, const char *name, const char *fallback)
{
    const char *text = grc_json_member(object, name);

    return text ? text : fallback;
}

json_t *grc_json_list(const char *const *texts)
{
    json_t *list = json_array();

    for (; texts && *texts; texts++)
        json_array_append_new(list, json_string(*texts));
    return list;
}
