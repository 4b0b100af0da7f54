#include "idempotency/key.h"

#include "base/field.h"

static const char wanted[] = "a string of 1 to 255 visible ASCII characters, such as "
                             "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"";

/* Takes the quotes and the escapes off. Returns the length, or 0 when the string is malformed. */
static size_t unquote(gr_str text, char *ret)
{
    size_t len = 0;
    size_t at = 1;

    for (; at < text.len && text.ptr[at] != '"'; at++) {
        if (text.ptr[at] == '\\' &&
            (++at >= text.len || (text.ptr[at] != '"' && text.ptr[at] != '\\')))
            return 0;
        if (text.ptr[at] < 0x20 || text.ptr[at] > 0x7e)
            return 0;
        ret[len++] = text.ptr[at];
    }
    return at + 1 == text.len ? len : 0;
}

/* A comma would make the value a list, and a semicolon would begin a parameter. */
static bool is_bare(gr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c < 0x21 || c > 0x7e || c == '"' || c == ',' || c == ';' || c == '\\')
            return false;
    }
    return true;
}

const char *grc_idempotency_key(struct grc_arena *arena, gr_str value, gr_str *ret_key)
{
    gr_str text = grc_field_trim(value);
    bool quoted = text.len > 0 && text.ptr[0] == '"';

    /* Each character of a quoted key may take two, and the quotes take two. */
    if (text.len == 0 || text.len > 2 * (size_t)GRC_IDEMPOTENCY_KEY_MAX + 2 ||
        (!quoted && !is_bare(text)))
        return wanted;
    char *copy = grc_arena_copy(arena, text);
    if (!copy)
        return "memory for it";
    size_t len = quoted ? unquote(text, copy) : text.len;
    if (len == 0 || len > GRC_IDEMPOTENCY_KEY_MAX)
        return wanted;
    *ret_key = (gr_str){copy, len};
    return NULL;
}
