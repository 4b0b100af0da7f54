#include "cmd/plugin_file.h"

static size_t skip_space(gr_str text, size_t at)
{
    while (at < text.len && strchr(" \t\r\n", text.ptr[at]))
        at++;
    return at;
}

/* From an opening quote to behind the closing one. */
static size_t skip_string(gr_str text, size_t at)
{
    for (at++; at < text.len && text.ptr[at] != '"'; at++)
        at += text.ptr[at] == '\\';
    return at < text.len ? at + 1 : text.len;
}

static size_t skip_value(gr_str text, size_t at)
{
    size_t depth = 0;

    while (at < text.len) {
        char c = text.ptr[at];

        if (c == '"') {
            at = skip_string(text, at);
            if (depth == 0)
                return at;
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || strchr(" \t\r\n", c)))
            return at;
        depth += c == '{' || c == '[';
        at++;
        if ((c == '}' || c == ']') && --depth == 0)
            return at;
    }
    return text.len;
}

bool grc_member_find(gr_str text, const char *name, size_t *ret_at, size_t *ret_len)
{
    size_t at = skip_space(text, 0) + 1; /* behind the brace */
    size_t behind_brace = at;

    for (at = skip_space(text, at); at < text.len && text.ptr[at] == '"';) {
        size_t key_end = skip_string(text, at);
        gr_str key = {text.ptr + at + 1, key_end - at - 2};
        size_t value = skip_space(text, skip_space(text, key_end) + 1); /* behind the colon */
        size_t end = skip_value(text, value);

        if (gr_str_eq(key, gr_str_of(name))) {
            *ret_at = value;
            *ret_len = end - value;
            return true;
        }
        at = skip_space(text, end);
        if (at < text.len && text.ptr[at] == ',')
            at = skip_space(text, at + 1);
    }
    *ret_at = behind_brace < text.len ? behind_brace : text.len;
    *ret_len = 0;
    return false;
}

enum gr_err grc_enabled_set(struct grc_buf *buf, gr_str text, bool enabled)
{
    const char *word = enabled ? "true" : "false";
    size_t at = 0;
    size_t len = 0;
    bool found = grc_member_find(text, "enabled", &at, &len);
    size_t next = skip_space(text, at + len);
    bool empty = next < text.len && text.ptr[next] == '}';
    enum gr_err err = grc_buf_add(buf, text.ptr, at);

    if (err == GR_OK && found)
        err = grc_buf_text(buf, word);
    else if (err == GR_OK)
        err = grc_buf_format(buf, "\n  \"enabled\": %s%s", word, empty ? "\n" : ",");
    return err == GR_OK ? grc_buf_add(buf, text.ptr + at + len, text.len - at - len) : err;
}
