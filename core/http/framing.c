#include "http/framing.h"

#include "base/field.h"

#include <string.h>

static const char reason_line[] = "the request line is malformed";
static const char reason_header[] = "a header line is malformed";
static const char reason_line_end[] = "lines must end with CR LF";

/* --- small helpers --- */

gr_str grc_request_header(const struct grc_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (grc_field_is(request->headers[i].name, name))
            return request->headers[i].value;
    }
    return (gr_str){NULL, 0};
}

static size_t count_of(const struct grc_request *request, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < request->header_count; i++)
        count += grc_field_is(request->headers[i].name, name);
    return count;
}

static enum gr_err broken(struct grc_request *request, enum gr_err err, const char *reason)
{
    request->broken = err;
    request->broken_reason = reason;
    return err;
}

static const char *end_of(gr_str text)
{
    return text.ptr + text.len;
}

/* --- how the pieces lie in the buffer --- */

/* "METHOD SP target SP HTTP/1.x CR LF", each separator exactly once. */
static enum gr_err check_line(struct grc_request *request, const struct grc_framing *framing)
{
    const char *target = request->path.ptr;
    const char *target_end = end_of(request->query.ptr ? request->query : request->path);
    size_t skipped = framing->base ? (size_t)(request->method_text.ptr - framing->base) : 0;

    /* One empty line in front is allowed (RFC 9112, 2.2). More of them, and CivetWeb's idea of
     * where the head ends is wrong. */
    if (skipped != 0 && (skipped != 2 || memcmp(framing->base, "\r\n", 2) != 0))
        return broken(request, GR_ERR_BAD_REQUEST, reason_line);
    if (target != end_of(request->method_text) + 1 || framing->version != target_end + 1 + 5)
        return broken(request, GR_ERR_BAD_REQUEST, reason_line);
    if (request->path.len == 0 || request->path.ptr[0] != '/')
        return broken(request, GR_ERR_BAD_REQUEST, "the request target must be a path");
    if (strcmp(framing->version, "1.1") != 0 && strcmp(framing->version, "1.0") != 0)
        return broken(request, GR_ERR_BAD_REQUEST, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    request->http_1_0 = framing->version[2] == '0';
    if ((size_t)(target_end - target) > framing->uri_max)
        return broken(request, GR_ERR_URI, "the request target is too long");
    return GR_OK;
}

/* What follows the last piece must be the empty line: CivetWeb stops without a word at a line it
 * does not like (a folded one, one without a name) and behind its 64th header. */
static enum gr_err check_tail(struct grc_request *request, const struct grc_framing *framing)
{
    static const char after_header[4] = {'\0', '\0', '\r', '\0'};
    static const char after_line[4] = {'\0', '\0', '\0', '\0'};
    size_t count = request->header_count;
    const char *tail = count ? end_of(request->headers[count - 1].value) : framing->version + 3;

    if (tail + sizeof(after_header) > framing->limit)
        return broken(request, GR_ERR_BAD_REQUEST, reason_line_end);
    if (memcmp(tail, count ? after_header : after_line, sizeof(after_header)) == 0)
        return GR_OK;
    if (count == GRC_HEADERS_MAX && tail[0] == '\0' && tail[1] == '\0' && tail[2] != '\0')
        return broken(request, GR_ERR_HEADERS, "more than 64 headers");
    if (tail[1] != '\0' || tail[2] == '\0')
        return broken(request, GR_ERR_BAD_REQUEST, reason_line_end);
    return broken(request, GR_ERR_BAD_REQUEST, reason_header);
}

static enum gr_err check_headers(struct grc_request *request, const struct grc_framing *framing)
{
    const char *expected = framing->version + 3 + 2;

    for (size_t i = 0; i < request->header_count; i++) {
        const struct gr_pair *header = &request->headers[i];
        const char *gap = end_of(header->name) + 1;

        if (header->name.ptr != expected)
            return broken(request, GR_ERR_BAD_REQUEST, reason_line_end);
        if (!grc_field_token(header->name))
            return broken(request, GR_ERR_BAD_REQUEST, reason_header);
        for (; gap < header->value.ptr; gap++) {
            if (*gap != ' ' && *gap != '\t') /* NUL: a blank stood before the colon */
                return broken(request, GR_ERR_BAD_REQUEST, reason_header);
        }
        if (gap != header->value.ptr)
            return broken(request, GR_ERR_BAD_REQUEST, reason_header);
        expected = end_of(header->value) + 2;
    }
    return check_tail(request, framing);
}

/* --- what the pieces say --- */

static void read_method(struct grc_request *request)
{
    static const struct {
        const char *name;
        enum gr_method method;
    } methods[] = {
        {"GET", GR_METHOD_GET},     {"POST", GR_METHOD_POST},     {"PUT", GR_METHOD_PUT},
        {"PATCH", GR_METHOD_PATCH}, {"DELETE", GR_METHOD_DELETE}, {"HEAD", GR_METHOD_GET},
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (gr_str_eq(request->method_text, gr_str_of(methods[i].name)))
            request->method = methods[i].method;
    }
    request->head = gr_str_eq(request->method_text, GR_STR("HEAD"));
    request->options = gr_str_eq(request->method_text, GR_STR("OPTIONS"));
}

/* uri-host [":" port] (RFC 9110, 7.2), by characters. */
static bool is_host(gr_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];

        if (c >= 0x80 || c <= ' ' || strchr("/?#@\\,\"<>{}|^`", c))
            return false;
    }
    return true;
}

static enum gr_err check_single(struct grc_request *request)
{
    static const char *const single[] = {"Authorization", "Content-Type", "Expect"};
    size_t hosts = count_of(request, "Host");

    if (hosts > 1)
        return broken(request, GR_ERR_BAD_REQUEST, "more than one Host header");
    if (hosts == 0 && !request->http_1_0)
        return broken(request, GR_ERR_BAD_REQUEST, "the Host header is missing");
    if (!is_host(grc_request_header(request, "Host")))
        return broken(request, GR_ERR_BAD_REQUEST, "the Host header is malformed");
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        if (count_of(request, single[i]) > 1)
            return broken(request, GR_ERR_BAD_REQUEST, "a header that may come once came twice");
    }
    return GR_OK;
}

static enum gr_err check_length(struct grc_request *request, gr_str text)
{
    int64_t length = 0;
    bool huge = false;

    if (text.len == 0)
        return broken(request, GR_ERR_BAD_REQUEST, "Content-Length is not a number");
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c < '0' || c > '9')
            return broken(request, GR_ERR_BAD_REQUEST, "Content-Length is not a number");
        if (length > (INT64_MAX - 9) / 10)
            huge = true;
        else
            length = length * 10 + (c - '0');
    }
    if (huge)
        return broken(request, GR_ERR_TOO_LARGE, "the body is too large");
    request->content_length = length;
    return GR_OK;
}

static enum gr_err check_body_framing(struct grc_request *request)
{
    size_t lengths = count_of(request, "Content-Length");
    size_t codings = count_of(request, "Transfer-Encoding");

    request->content_length = 0;
    if (lengths && codings)
        return broken(request, GR_ERR_BAD_REQUEST,
                      "Content-Length and Transfer-Encoding exclude each other");
    if (lengths > 1)
        return broken(request, GR_ERR_BAD_REQUEST, "more than one Content-Length header");
    if (lengths)
        return check_length(request, grc_request_header(request, "Content-Length"));
    if (!codings)
        return GR_OK;
    if (codings > 1 || !grc_field_is(grc_request_header(request, "Transfer-Encoding"), "chunked"))
        return broken(request, GR_ERR_BAD_REQUEST, "the only Transfer-Encoding here is chunked");
    if (request->http_1_0)
        return broken(request, GR_ERR_BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding");
    request->content_length = -1;
    return GR_OK;
}

enum gr_err grc_framing_check(struct grc_request *request, const struct grc_framing *framing)
{
    read_method(request);
    enum gr_err err = check_line(request, framing);
    if (err == GR_OK)
        err = check_headers(request, framing);
    for (size_t i = 0; i < request->header_count; i++)
        request->headers[i].value = grc_field_trim(request->headers[i].value);
    if (err == GR_OK)
        err = check_single(request);
    if (err == GR_OK)
        err = check_body_framing(request);
    if (err == GR_OK && !request->http_1_0 && request->content_length != 0)
        request->expect_continue =
            grc_field_is(grc_request_header(request, "Expect"), "100-continue");
    return err;
}

bool grc_framing_keep_alive(const struct grc_request *request)
{
    gr_str connection = grc_request_header(request, "Connection");

    if (request->broken != GR_OK || grc_field_has(connection, "close") ||
        grc_field_has(connection, "upgrade"))
        return false;
    /* CivetWeb closes after any Connection header that does not ask to stay. */
    if (connection.ptr)
        return grc_field_has(connection, "keep-alive");
    return !request->http_1_0;
}
