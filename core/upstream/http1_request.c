#include "upstream/http1_request.h"

#include "base/method.h"
#include "upstream/request.h"

#define LENGTH_DIGITS 20u

/* The bytes are counted before they are written, so that the buffer is allocated once. */
struct writer {
    char *at; /* NULL: count only */
    size_t len;
};

static void put(struct writer *writer, gr_str text)
{
    if (writer->at && text.len)
        memcpy(writer->at + writer->len, text.ptr, text.len);
    writer->len += text.len;
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, gr_str_of(text));
}

static enum gr_err put_field(void *arg, gr_str name, const char *prefix, gr_str value)
{
    struct writer *writer = arg;

    put(writer, name);
    put(writer, value.len ? GR_STR(": ") : GR_STR(":"));
    put_text(writer, prefix);
    put(writer, value);
    put(writer, GR_STR("\r\n"));
    return GR_OK;
}

static void put_length(struct writer *writer, uint64_t length)
{
    char digits[LENGTH_DIGITS];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + length % 10);
        length /= 10;
    } while (length);
    put(writer, GR_STR("Content-Length: "));
    put(writer, (gr_str){digits + at, sizeof(digits) - at});
    put(writer, GR_STR("\r\n"));
}

static enum gr_err put_head(struct writer *writer, const struct grc_http1_target *target,
                            const struct grc_exchange *exchange, const char *token_line)
{
    put_text(writer, grc_method_name(exchange->method));
    put(writer, GR_STR(" "));
    put_text(writer, target->prefix);
    put(writer, exchange->target);
    put(writer, GR_STR(" HTTP/1.1\r\nHost: "));
    put_text(writer, target->authority);
    put(writer, GR_STR("\r\n"));
    enum gr_err err = grc_request_fields(exchange, token_line != NULL, put_field, writer);
    if (token_line) {
        put_text(writer, token_line);
        put(writer, GR_STR("\r\n"));
    }
    put(writer, GR_STR(GRC_REQUEST_ACCEPT "\r\n" GRC_REQUEST_AGENT "\r\n"));
    if (grc_request_has_length(exchange))
        put_length(writer, exchange->has_body ? exchange->body.len : 0);
    put(writer, GR_STR("\r\n"));
    return err;
}

enum gr_err grc_http1_request_write(struct grc_buf *out, const struct grc_http1_target *target,
                                    const struct grc_exchange *exchange, const char *token_line,
                                    gr_str *ret_rest)
{
    gr_str body = exchange->has_body ? exchange->body : (gr_str){NULL, 0};
    bool is_inline = body.len <= GRC_HTTP1_BODY_INLINE;
    struct writer count = {NULL, 0};

    if (!grc_request_target_good(exchange->target) || exchange->method < GR_METHOD_GET ||
        exchange->method > GR_METHOD_DELETE)
        return GR_ERR_INTERNAL;
    enum gr_err err = put_head(&count, target, exchange, token_line);
    if (err != GR_OK)
        return err;
    grc_buf_clear(out);
    err = grc_buf_reserve(out, count.len + (is_inline ? body.len : 0));
    if (err != GR_OK)
        return err == GR_ERR_TOO_LARGE ? GR_ERR_URI : err;
    struct writer writer = {out->ptr, 0};
    err = put_head(&writer, target, exchange, token_line);
    if (is_inline)
        put(&writer, body);
    out->len = writer.len;
    out->ptr[out->len] = '\0';
    *ret_rest = is_inline ? (gr_str){NULL, 0} : body;
    return err;
}
