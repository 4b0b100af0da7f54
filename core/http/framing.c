#include "http/framing.h"

#include "base/field.h"
#include "base/utf8.h"

#include <string.h>
#include <strings.h>

/* "OPTIONS", two spaces, "HTTP/1.1", two line ends. */
#define LINE_EXTRA_BYTES 32u

static const char reason_line[] = "the request line is malformed";
static const char reason_header[] = "a header line is malformed";
static const char reason_host[] = "the Host header is malformed";

/* --- small helpers --- */

gr_str grc_request_header(const struct grc_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (grc_field_is(request->headers[i].name, name))
            return request->headers[i].value;
    }
    return (gr_str){NULL, 0};
}

size_t grc_request_header_count(const struct grc_request *request, const char *name,
                                gr_str *ret_first)
{
    size_t count = 0;

    for (size_t i = 0; i < request->header_count; i++) {
        if (grc_field_is(request->headers[i].name, name) && count++ == 0)
            *ret_first = request->headers[i].value;
    }
    return count;
}

static size_t count_of(const struct grc_request *request, const char *name)
{
    gr_str first;

    return grc_request_header_count(request, name, &first);
}

static enum gr_err broken(struct grc_request *request, enum gr_err err, const char *reason)
{
    request->broken = err;
    request->broken_reason = reason;
    return err;
}

/* --- where a head ends --- */

size_t grc_framing_head_max(const struct grc_framing_limits *limits)
{
    return limits->uri_max + limits->headers_max + LINE_EXTRA_BYTES;
}

static bool is_plain(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

long grc_framing_scan(const char *bytes, size_t len, size_t *scanned)
{
    size_t at = *scanned;

    for (; (at = grc_utf8_plain((gr_str){bytes, len}, at)) < len; at++) {
        if (is_plain((unsigned char)bytes[at]))
            continue;
        if (bytes[at] != '\r')
            return -1; /* an LF is only valid after a CR, which is checked below */
        if (at + 1 == len)
            break;
        if (bytes[at + 1] != '\n')
            return -1;
        at++;
        if (at >= 3 && bytes[at - 2] == '\n')
            return (long)at + 1;
    }
    *scanned = at;
    return 0;
}

/* --- the request line --- */

/* The parts of a request line, as they were received. */
struct line {
    gr_str method;
    gr_str target;
    gr_str authority; /* of a target in absolute form; ptr is NULL for other forms */
};

static size_t run_of_graphs(const char *at, const char *end)
{
    const char *start = at;

    while (at<end && * at> ' ' && *at < 0x7f)
        at++;
    return (size_t)(at - start);
}

/* method SP target SP version, with exactly one space each. */
static bool split_line(gr_str text, struct line *ret_line, gr_str *ret_version)
{
    const char *end = text.ptr + text.len;

    memset(ret_line, 0, sizeof(*ret_line));
    ret_line->method = (gr_str){text.ptr, run_of_graphs(text.ptr, end)};
    const char *target = text.ptr + ret_line->method.len + 1;
    if (target >= end || target[-1] != ' ' || !grc_field_token(ret_line->method))
        return false;
    ret_line->target = (gr_str){target, run_of_graphs(target, end)};
    const char *version = target + ret_line->target.len + 1;
    if (version >= end || version[-1] != ' ' || ret_line->target.len == 0)
        return false;
    *ret_version = (gr_str){version, (size_t)(end - version)};
    return ret_version->len == 8 && memcmp(version, "HTTP/", 5) == 0;
}

/* The begin of a target's path: after scheme and authority, if there are any. */
static const char *find_path(struct line *line)
{
    static const char *const schemes[] = {"http://", "https://"};
    gr_str target = line->target;

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i]);
        const char *at = target.ptr + len;

        if (target.len <= len || strncasecmp(target.ptr, schemes[i], len) != 0)
            continue;
        while (at < target.ptr + target.len && !strchr("/?", *at))
            at++;
        line->authority = (gr_str){target.ptr + len, (size_t)(at - target.ptr) - len};
        return at;
    }
    return target.ptr;
}

static enum gr_err read_method(struct grc_request *request)
{
    static const struct {
        const char *name;
        enum gr_method method;
    } methods[] = {
        {"GET", GR_METHOD_GET},       {"POST", GR_METHOD_POST}, {"PUT", GR_METHOD_PUT},
        {"PATCH", GR_METHOD_PATCH},   {"HEAD", GR_METHOD_GET},  {"OPTIONS", 0},
        {"DELETE", GR_METHOD_DELETE},
    };

    request->head = gr_str_eq(request->method_text, GR_STR("HEAD"));
    request->options = gr_str_eq(request->method_text, GR_STR("OPTIONS"));
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        request->method = methods[i].method;
        if (gr_str_eq(request->method_text, gr_str_of(methods[i].name)))
            return GR_OK;
    }
    return broken(request, GR_ERR_BAD_REQUEST, "the method is unknown");
}

static void take_path(struct grc_request *request, const char *path, const char *end)
{
    const char *mark = memchr(path, '?', (size_t)(end - path));

    request->path = (gr_str){path, (size_t)((mark ? mark : end) - path)};
    request->query = mark ? (gr_str){mark + 1, (size_t)(end - mark - 1)} : (gr_str){NULL, 0};
    if (request->path.len == 0)
        request->path = GR_STR("/");
}

static enum gr_err read_line(gr_str text, size_t uri_max, struct grc_request *request,
                             struct line *ret_line)
{
    gr_str version;

    if (!split_line(text, ret_line, &version))
        return broken(request, GR_ERR_BAD_REQUEST, reason_line);
    const char *path = find_path(ret_line);
    const char *end = ret_line->target.ptr + ret_line->target.len;
    request->method_text = ret_line->method;
    request->http_1_0 = memcmp(version.ptr, "HTTP/1.0", 8) == 0;
    if (ret_line->authority.ptr || *path == '/')
        take_path(request, path, end);
    enum gr_err err = read_method(request);
    if (err != GR_OK)
        return err;
    if (!request->http_1_0 && memcmp(version.ptr, "HTTP/1.1", 8) != 0)
        return broken(request, GR_ERR_BAD_REQUEST, "only HTTP/1.0 and HTTP/1.1 are supported");
    if (ret_line->target.len > uri_max)
        return broken(request, GR_ERR_URI, "the request target is too long");
    if (!request->path.ptr)
        return broken(request, GR_ERR_BAD_REQUEST, "the request target must be a path");
    return GR_OK;
}

/* --- header lines --- */

/* name ":" value. The name must be a token, so folded lines, which begin with white space, fail. */
static enum gr_err read_header(gr_str text, struct grc_request *request)
{
    const char *colon = memchr(text.ptr, ':', text.len);
    gr_str name = {text.ptr, colon ? (size_t)(colon - text.ptr) : 0};

    if (!grc_field_token(name))
        return broken(request, GR_ERR_BAD_REQUEST, reason_header);
    if (request->header_count == GRC_HEADERS_MAX)
        return broken(request, GR_ERR_HEADERS, "more than 64 headers");
    request->headers[request->header_count++] =
        (struct gr_pair){name, grc_field_trim((gr_str){colon + 1, text.len - name.len - 1})};
    return GR_OK;
}

/* at: after the request line. end: after the empty line. */
static enum gr_err read_headers(const char *at, const char *end, struct grc_request *request)
{
    for (;;) {
        const char *line_end = memchr(at, '\r', (size_t)(end - at));

        if (line_end == at)
            return GR_OK;
        enum gr_err err = read_header((gr_str){at, (size_t)(line_end - at)}, request);
        if (err != GR_OK)
            return err;
        at = line_end + 2;
    }
}

/* --- checks of the headers --- */

/* Checks the characters of uri-host [":" port] (RFC 9110, 7.2). */
static bool is_host(gr_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];

        if (c >= 0x80 || c <= ' ' || strchr("/?#@\\,\"<>{}|^`", c))
            return false;
    }
    return true;
}

/* A target in absolute form and the Host header must name the same host (RFC 9112, 3.2.2). */
static enum gr_err check_authority(struct grc_request *request, gr_str authority)
{
    gr_str host = grc_request_header(request, "Host");

    if (!authority.ptr)
        return GR_OK;
    if (authority.len == 0 || !is_host(authority))
        return broken(request, GR_ERR_BAD_REQUEST, "the host of the request target is malformed");
    if (host.ptr &&
        (host.len != authority.len || strncasecmp(host.ptr, authority.ptr, host.len) != 0))
        return broken(request, GR_ERR_BAD_REQUEST,
                      "the request target and the Host header name different hosts");
    return GR_OK;
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
        return broken(request, GR_ERR_BAD_REQUEST, reason_host);
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        if (count_of(request, single[i]) > 1)
            return broken(request, GR_ERR_BAD_REQUEST,
                          "a header that is allowed once was sent more than once");
    }
    return GR_OK;
}

static bool is_digits(gr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    }
    return text.len > 0;
}

static enum gr_err check_length(struct grc_request *request, gr_str text)
{
    if (grc_field_number(text, &request->content_length))
        return GR_OK;
    if (is_digits(text))
        return broken(request, GR_ERR_TOO_LARGE, "the body is too large");
    return broken(request, GR_ERR_BAD_REQUEST, "Content-Length is not a number");
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
        return broken(request, GR_ERR_BAD_REQUEST,
                      "the only supported Transfer-Encoding is chunked");
    if (request->http_1_0)
        return broken(request, GR_ERR_BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding");
    request->content_length = -1;
    return GR_OK;
}

/* --- whole heads --- */

/* Moves the method next to the path, so that the head has a target in origin form. */
static size_t drop_authority(char *bytes, const struct line *line, struct grc_request *request)
{
    size_t method_len = line->method.len + 1;
    const char *after = line->authority.ptr + line->authority.len;
    bool rooted = *after == '/';
    size_t skipped = (size_t)(after - bytes) - (rooted ? 0 : 1) - method_len;

    memmove(bytes + skipped, bytes, method_len);
    request->method_text.ptr = bytes + skipped;
    if (!rooted) {
        bytes[skipped + method_len] = '/';
        request->path = (gr_str){bytes + skipped + method_len, 1};
    }
    return skipped;
}

enum gr_err grc_framing_read(char *bytes, size_t len, const struct grc_framing_limits *limits,
                             struct grc_request *request, size_t *ret_skipped)
{
    const char *line_end = memchr(bytes, '\r', len);
    size_t line_len = line_end ? (size_t)(line_end - bytes) : len;
    struct line line;

    *ret_skipped = 0;
    enum gr_err err = read_line((gr_str){bytes, line_len}, limits->uri_max, request, &line);
    if (err != GR_OK)
        return err;
    if (len - line_len - 4 > limits->headers_max)
        return broken(request, GR_ERR_HEADERS, "the head of the request is too large");
    err = read_headers(bytes + line_len + 2, bytes + len, request);
    if (err == GR_OK)
        err = check_single(request);
    if (err == GR_OK)
        err = check_authority(request, line.authority);
    if (err == GR_OK)
        err = check_body_framing(request);
    if (err == GR_OK && !request->http_1_0 && request->content_length != 0)
        request->expect_continue =
            grc_field_is(grc_request_header(request, "Expect"), "100-continue");
    if (err == GR_OK && line.authority.ptr)
        *ret_skipped = drop_authority(bytes, &line, request);
    return err;
}

enum gr_err grc_framing_refuse(const char *bytes, size_t len, struct grc_request *request,
                               enum gr_err err, const char *reason)
{
    struct line line;
    size_t line_len = 0;

    while (line_len < len && bytes[line_len] != '\r' && bytes[line_len] != '\n')
        line_len++;
    if (line_len < len) /* otherwise the line may be incomplete */
        (void)read_line((gr_str){bytes, line_len}, SIZE_MAX, request, &line);
    return broken(request, err, reason);
}

size_t grc_framing_copy(char *into, const char *bytes, size_t len)
{
    static const char rest[] = "1\r\n\r\n"; /* of "HTTP/1.1", and the end of the head */
    const char *line_end = memchr(bytes, '\r', len);
    size_t kept = (size_t)(line_end - bytes) - 1;

    memcpy(into, bytes, kept);
    memcpy(into + kept, rest, sizeof(rest) - 1);
    return kept + sizeof(rest) - 1;
}

void grc_framing_terminate(char *bytes, const struct grc_request *request)
{
    const gr_str *const parts[] = {&request->method_text, &request->path, &request->query};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i]->ptr)
            bytes[parts[i]->ptr + parts[i]->len - bytes] = '\0';
    }
    for (size_t i = 0; i < request->header_count; i++) {
        const struct gr_pair *header = &request->headers[i];

        bytes[header->name.ptr + header->name.len - bytes] = '\0';
        bytes[header->value.ptr + header->value.len - bytes] = '\0';
    }
}

bool grc_framing_keep_alive(const struct grc_request *request)
{
    gr_str connection = grc_request_header(request, "Connection");

    if (request->broken != GR_OK || grc_field_has(connection, "close") ||
        grc_field_has(connection, "upgrade"))
        return false;
    return !request->http_1_0 || grc_field_has(connection, "keep-alive");
}
