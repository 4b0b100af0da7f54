#include "base/json.h"

#include <stdio.h>

enum { REASON_BYTES = 160 };

/* Behind the string literal that starts at `at`; SIZE_MAX when it does not end. */
static size_t skip_string(gr_str text, size_t at)
{
    for (at++; at < text.len; at++) {
        if (text.ptr[at] == '\\')
            at++;
        else if (text.ptr[at] == '"')
            return at;
    }
    return SIZE_MAX;
}

enum grc_json_verdict grc_json_guard(gr_str text, unsigned depth_max)
{
    unsigned depth = 0;

    for (size_t at = 0; at < text.len; at++) {
        switch (text.ptr[at]) {
        case '"':
            at = skip_string(text, at);
            if (at == SIZE_MAX)
                return GRC_JSON_UNBALANCED;
            break;
        case '[':
        case '{':
            if (depth == depth_max)
                return GRC_JSON_TOO_DEEP;
            depth++;
            break;
        case ']':
        case '}':
            if (depth == 0)
                return GRC_JSON_UNBALANCED;
            depth--;
            break;
        default:
            break;
        }
    }
    return depth == 0 ? GRC_JSON_OK : GRC_JSON_UNBALANCED;
}

/* jansson's own text quotes the input, which has no place in a message. */
static const char *what_is_wrong(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return "a key stands twice in one object";
    case json_error_end_of_input_expected:
        return "something follows the value";
    case json_error_invalid_utf8:
        return "text is not UTF-8";
    case json_error_null_byte_in_key:
    case json_error_null_character:
        return "a string holds a NUL character";
    case json_error_numeric_overflow:
        /* "too big integer", "too big negative integer", "real number overflow" */
        return strstr(error->text, "integer") ? "integer out of range" : "number out of range";
    case json_error_out_of_memory:
        return "out of memory";
    case json_error_premature_end_of_input:
        return "the text ends too early";
    case json_error_stack_overflow:
        return "nested too deeply";
    default:
        return "syntax error";
    }
}

static const char *explain(const json_error_t *error)
{
    static _Thread_local char reason[REASON_BYTES];

    snprintf(reason, sizeof(reason), "%s at line %d, column %d", what_is_wrong(error), error->line,
             error->column);
    return reason;
}

static json_t *refuse(const char **ret_reason, const char *reason)
{
    if (ret_reason)
        *ret_reason = reason;
    return NULL;
}

json_t *grc_json_parse(gr_str text, unsigned depth_max, const char **ret_reason)
{
    json_error_t error;

    /* jansson skips a NUL that follows a token, so "[1\0,2]" would pass for "[1,2]". */
    if (text.len && memchr(text.ptr, 0, text.len))
        return refuse(ret_reason, "the text holds a NUL byte");
    switch (grc_json_guard(text, depth_max)) {
    case GRC_JSON_OK:
        break;
    case GRC_JSON_TOO_DEEP:
        return refuse(ret_reason, "nested too deeply");
    case GRC_JSON_UNBALANCED:
        return refuse(ret_reason, "brackets or quotes do not match");
    }
    /* json_loadb() takes no NULL. */
    json_t *value = json_loadb(text.len ? text.ptr : "", text.len,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value)
        return refuse(ret_reason, explain(&error));
    return value;
}
