/* A growing byte buffer with a mandatory limit. Not thread-safe. */
#pragma once

#include <greenroom/plugin.h>

#include <stdarg.h>

struct grc_buf {
    char *ptr; /* NUL-terminated whenever not NULL */
    size_t len;
    size_t cap;
    size_t max_bytes; /* len never exceeds it */
};

void grc_buf_init(struct grc_buf *buf, size_t max_bytes);
void grc_buf_done(struct grc_buf *buf);
/* Forgets the content, keeps the memory. */
void grc_buf_clear(struct grc_buf *buf);
/* Makes room for `extra` more bytes. GR_ERR_TOO_LARGE over the limit, GR_ERR_NO_MEMORY. */
enum gr_err grc_buf_reserve(struct grc_buf *buf, size_t extra);
enum gr_err grc_buf_add(struct grc_buf *buf, const void *bytes, size_t count);
static inline enum gr_err grc_buf_str(struct grc_buf *buf, gr_str text)
{
    return grc_buf_add(buf, text.ptr, text.len);
}
static inline enum gr_err grc_buf_text(struct grc_buf *buf, const char *text)
{
    return grc_buf_add(buf, text, strlen(text));
}
enum gr_err grc_buf_char(struct grc_buf *buf, char c);
/* Appends the value in decimal, many times faster than grc_buf_format() does. */
enum gr_err grc_buf_int(struct grc_buf *buf, int64_t value);
enum gr_err grc_buf_format(struct grc_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum gr_err grc_buf_vformat(struct grc_buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Appends a JSON string literal with its quotes; broken UTF-8 becomes U+FFFD. */
enum gr_err grc_buf_json_string(struct grc_buf *buf, gr_str text);
static inline gr_str grc_buf_view(const struct grc_buf *buf)
{
    return (gr_str){buf->ptr, buf->len};
}
