#include "upstream/http1_request.h"

#include "base/format.h"
#include "base/method.h"
#include "upstream/request.h"

/* What a head has beside its target and its token; most have less, and are then allocated once. */
#define USUAL_BYTES 512u

struct writer {
    struct grc_buf *out;
    enum gr_err err; /* of the first piece that found no room */
};

static void put(struct writer *writer, gr_str text)
{
    if (writer->err == GR_OK)
        writer->err = grc_buf_str(writer->out, text);
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
    return writer->err;
}

static void put_length(struct writer *writer, size_t length)
{
    char digits[GRC_INT_SIZE];

    put(writer, GR_STR("Content-Length: "));
    put(writer, grc_int_text((int64_t)length, digits));
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
    return err == GR_OK ? writer->err : err;
}

enum gr_err grc_http1_request_write(struct grc_buf *out, const struct grc_http1_target *target,
                                    const struct grc_exchange *exchange, const char *token_line,
                                    gr_str *ret_rest)
{
    gr_str body = exchange->has_body ? exchange->body : (gr_str){NULL, 0};
    bool is_inline = body.len <= GRC_HTTP1_BODY_INLINE;
    size_t usual = USUAL_BYTES + exchange->target.len + (token_line ? strlen(token_line) : 0) +
                   (is_inline ? body.len : 0);
    struct writer writer = {.out = out};

    if (!grc_request_target_good(exchange->target) || exchange->method < GR_METHOD_GET ||
        exchange->method > GR_METHOD_DELETE)
        return GR_ERR_INTERNAL;
    grc_buf_clear(out);
    (void)grc_buf_reserve(out, usual); /* when this fails, the head may still fit */
    enum gr_err err = put_head(&writer, target, exchange, token_line);
    if (err == GR_OK && is_inline)
        err = grc_buf_str(out, body);
    if (err != GR_OK)
        return err == GR_ERR_TOO_LARGE ? GR_ERR_URI : err;
    *ret_rest = is_inline ? (gr_str){NULL, 0} : body;
    return GR_OK;
}
