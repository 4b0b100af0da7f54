#include "base/buf.h"

#include "base/format.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAP 256u

void grc_buf_init(struct grc_buf *buf, size_t max_bytes)
{
    *buf = (struct grc_buf){.max_bytes = max_bytes};
}

void grc_buf_done(struct grc_buf *buf)
{
    free(buf->ptr);
    buf->ptr = NULL;
    buf->len = 0;
    buf->cap = 0;
}

void grc_buf_clear(struct grc_buf *buf)
{
    buf->len = 0;
    if (buf->ptr)
        buf->ptr[0] = '\0';
}

/* Not inlined, so that an append that finds room is short. */
__attribute__((noinline)) static enum gr_err grow(struct grc_buf *buf, size_t need)
{
    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    while (cap < need)
        cap *= 2;
    char *ptr = realloc(buf->ptr, cap);
    if (!ptr)
        return GR_ERR_NO_MEMORY;
    buf->ptr = ptr;
    buf->cap = cap;
    return GR_OK;
}

enum gr_err grc_buf_reserve(struct grc_buf *buf, size_t extra)
{
    if (extra > buf->max_bytes || buf->len > buf->max_bytes - extra)
        return GR_ERR_TOO_LARGE;
    size_t need = buf->len + extra + 1;
    return need <= buf->cap ? GR_OK : grow(buf, need);
}

enum gr_err grc_buf_add(struct grc_buf *buf, const void *bytes, size_t count)
{
    enum gr_err err = grc_buf_reserve(buf, count);
    if (err != GR_OK)
        return err;
    if (count)
        memcpy(buf->ptr + buf->len, bytes, count);
    buf->len += count;
    buf->ptr[buf->len] = '\0';
    return GR_OK;
}

enum gr_err grc_buf_char(struct grc_buf *buf, char c)
{
    enum gr_err err = grc_buf_reserve(buf, 1);
    if (err != GR_OK)
        return err;
    buf->ptr[buf->len++] = c;
    buf->ptr[buf->len] = '\0';
    return GR_OK;
}

enum gr_err grc_buf_int(struct grc_buf *buf, int64_t value)
{
    char digits[GRC_INT_SIZE];

    return grc_buf_str(buf, grc_int_text(value, digits));
}

enum gr_err grc_buf_vformat(struct grc_buf *buf, const char *format, va_list args)
{
    size_t room = buf->cap - buf->len; /* with the NUL */
    va_list again;

    /* Most texts fit into the room at hand; the others are written a second time. */
    va_copy(again, args);
    int len = vsnprintf(buf->ptr ? buf->ptr + buf->len : NULL, room, format, again);
    va_end(again);
    enum gr_err err = len < 0 ? GR_ERR_INTERNAL : grc_buf_reserve(buf, (size_t)len);
    if (err != GR_OK) {
        if (buf->ptr)
            buf->ptr[buf->len] = '\0';
        return err;
    }
    if ((size_t)len >= room)
        vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, args);
    buf->len += (size_t)len;
    return GR_OK;
}

enum gr_err grc_buf_format(struct grc_buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    enum gr_err err = grc_buf_vformat(buf, format, args);
    va_end(args);
    return err;
}

static enum gr_err add_escaped(struct grc_buf *buf, unsigned char c)
{
    switch (c) {
    case '"':
        return grc_buf_add(buf, "\\\"", 2);
    case '\\':
        return grc_buf_add(buf, "\\\\", 2);
    case '\n':
        return grc_buf_add(buf, "\\n", 2);
    case '\r':
        return grc_buf_add(buf, "\\r", 2);
    case '\t':
        return grc_buf_add(buf, "\\t", 2);
    default:
        return grc_buf_format(buf, "\\u%04x", c);
    }
}

/* Appends what stands between the quotes of a string literal. */
static enum gr_err add_literal(struct grc_buf *buf, gr_str text)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t plain = 0; /* start of the run that needs no escape */
    size_t at = 0;
    enum gr_err err = GR_OK;

    while (err == GR_OK && (at = grc_utf8_plain(text, at)) < text.len) {
        size_t step = grc_utf8_step(text.ptr + at, text.len - at);
        if (step > 1) {
            at += step;
            continue;
        }
        err = grc_buf_add(buf, p + plain, at - plain);
        if (err == GR_OK)
            err = step ? add_escaped(buf, p[at]) : grc_buf_text(buf, "\xef\xbf\xbd");
        at++;
        plain = at;
    }
    return err == GR_OK ? grc_buf_add(buf, p + plain, at - plain) : err;
}

/* Most strings have nothing to escape and are appended in one piece. */
enum gr_err grc_buf_json_string(struct grc_buf *buf, gr_str text)
{
    if (grc_utf8_plain(text, 0) == text.len && grc_buf_reserve(buf, text.len + 2) == GR_OK) {
        char *at = buf->ptr + buf->len;

        at[0] = '"';
        if (text.len)
            memcpy(at + 1, text.ptr, text.len);
        memcpy(at + 1 + text.len, "\"", 2);
        buf->len += text.len + 2;
        return GR_OK;
    }
    enum gr_err err = grc_buf_char(buf, '"');
    if (err == GR_OK)
        err = add_literal(buf, text);
    return err == GR_OK ? grc_buf_char(buf, '"') : err;
}
