#include "http/response.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/field.h"

#include <stdio.h>

/* IMF-fixdate (RFC 9110, 5.6.7), without the locale. */
static gr_str date_text(struct grc_date *date)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t now_s = grc_now_s();
    struct grc_civil at;

    if (now_s != date->second) {
        grc_civil_of(now_s, &at);
        snprintf(date->text, sizeof(date->text), "%s, %02u %s %04u %02u:%02u:%02u GMT",
                 days[at.weekday % 7], at.day % 100u, months[(at.month - 1) % 12],
                 (unsigned)at.year % 10000u, at.hour % 100u, at.minute % 100u, at.second % 100u);
        date->second = now_s;
    }
    return gr_str_of(date->text);
}

static enum gr_err add_header(struct grc_buf *out, gr_str name, gr_str value)
{
    if (name.len == 0 || !grc_field_value(name) || !grc_field_value(value))
        return GR_OK;
    enum gr_err err = grc_buf_str(out, name);
    if (err == GR_OK)
        err = grc_buf_add(out, ": ", 2);
    if (err == GR_OK)
        err = grc_buf_str(out, value);
    if (err == GR_OK)
        err = grc_buf_add(out, "\r\n", 2);
    return err;
}

static enum gr_err add_status(struct grc_buf *out, int status)
{
    enum gr_err err = grc_buf_add(out, "HTTP/1.1 ", 9);

    if (err == GR_OK)
        err = grc_buf_int(out, status);
    if (err == GR_OK)
        err = grc_buf_char(out, ' ');
    if (err == GR_OK)
        err = grc_buf_text(out, grc_status_reason(status));
    if (err == GR_OK)
        err = grc_buf_add(out, "\r\n", 2);
    return err;
}

static enum gr_err add_length(struct grc_buf *out, size_t len)
{
    enum gr_err err = grc_buf_text(out, "Content-Length: ");

    if (err == GR_OK)
        err = grc_buf_int(out, (int64_t)len);
    if (err == GR_OK)
        err = grc_buf_add(out, "\r\n", 2);
    return err;
}

static bool has_no_body(int status)
{
    return status == 204 || status == 304 || status < 200;
}

enum gr_err grc_response_head(struct grc_buf *out, const struct grc_request *request,
                              const struct grc_reply *reply, bool keep_alive, struct grc_date *date)
{
    enum gr_err err = add_status(out, reply->status);

    if (err == GR_OK)
        err = add_header(out, GR_STR("Date"), date_text(date));
    if (err == GR_OK)
        err = grc_buf_text(out, "Server: greenroom\r\nX-Content-Type-Options: nosniff\r\n");
    if (err == GR_OK && !has_no_body(reply->status)) {
        if (reply->content_type && (reply->body.len || request->head))
            err = add_header(out, GR_STR("Content-Type"), gr_str_of(reply->content_type));
        if (err == GR_OK)
            err = add_length(out, reply->body.len);
    }
    for (size_t i = 0; err == GR_OK && i < reply->header_count; i++)
        err = add_header(out, reply->headers[i].name, reply->headers[i].value);
    if (err == GR_OK)
        err = grc_buf_text(out, keep_alive ? "Connection: keep-alive\r\n\r\n"
                                           : "Connection: close\r\n\r\n");
    return err;
}

gr_str grc_response_body(const struct grc_request *request, const struct grc_reply *reply)
{
    if (request->head || has_no_body(reply->status))
        return (gr_str){NULL, 0};
    return reply->body;
}
