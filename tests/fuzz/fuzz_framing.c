/* Reads any bytes as the head of a request. A head that is accepted must conform to RFC 9112, the
 * result must be that of a second reader that follows the RFC, and CivetWeb must find the same
 * request in the copy that it is given. */
#include "http/framing.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct grc_framing_limits limits = {.uri_max = 300, .headers_max = 8000};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- as CivetWeb reads it --- */

static size_t head_len(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 128 && c != '\r' && c != '\n' && !isprint(c))
            return 0;
        if (i + 1 < size && text[i] == '\n' && text[i + 1] == '\n')
            return i + 2;
        if (i + 3 < size && memcmp(text + i, "\r\n\r\n", 4) == 0)
            return i + 4;
    }
    return 0;
}

static char *end_word(char *at, bool line)
{
    while (isgraph((unsigned char)*at))
        at++;
    if (line ? *at != '\r' && *at != '\n' : *at != ' ')
        return NULL;
    do
        *at++ = '\0';
    while (isspace((unsigned char)*at));
    return line || isgraph((unsigned char)*at) ? at : NULL;
}

enum step { STEP_NEXT, STEP_END, STEP_BROKEN };

static enum step split_header(char **head, struct gr_pair *header)
{
    char *at = *head;

    while (*at != ':' && *at >= 33 && *at <= 126)
        at++;
    if (at == *head)
        return STEP_END;
    while (*at == ' ')
        *at++ = '\0';
    if (*at != ':')
        return STEP_BROKEN;
    *at++ = '\0';
    header->name = gr_str_of(*head);
    while (*at == ' ' || *at == '\t')
        at++;
    char *value = at;
    while (*at && *at != '\r' && *at != '\n')
        at++;
    if (*at == '\r') {
        *at++ = '\0';
        if (*at != '\n')
            return STEP_BROKEN;
    }
    bool more = *at != '\0';
    if (more)
        *at++ = '\0';
    header->value = gr_str_of(value);
    *head = at;
    return more && *at != '\r' && *at != '\n' ? STEP_NEXT : STEP_END;
}

static bool split_headers(char *at, struct grc_request *request)
{
    while (request->header_count < GRC_HEADERS_MAX) {
        struct gr_pair *header = &request->headers[request->header_count];
        enum step step;

        header->name = (gr_str){NULL, 0};
        step = split_header(&at, header);
        if (step == STEP_BROKEN)
            return false;
        request->header_count += header->name.ptr != NULL;
        if (step == STEP_END)
            return true;
    }
    return true;
}

/* CivetWeb knows some methods, all of them in capital letters. */
static bool is_method(const char *at)
{
    return *at != '\0' && at[strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* CivetWeb must find a head of exactly this length. Otherwise nobody can tell what it would do. */
static bool split(char *buffer, size_t size, struct grc_request *request, const char **ret_version)
{
    if (isspace((unsigned char)*buffer) || iscntrl((unsigned char)*buffer) ||
        head_len(buffer, size) != size)
        return false;
    buffer[size - 1] = '\0';
    char *target = end_word(buffer, false);
    char *version = target ? end_word(target, false) : NULL;
    char *next = version ? end_word(version, true) : NULL;
    if (!next || strncmp(version, "HTTP/", 5) != 0 || !is_method(buffer))
        return false;
    char *mark = strchr(target, '?');
    if (mark)
        *mark++ = '\0';
    request->method_text = gr_str_of(buffer);
    request->path = gr_str_of(target);
    request->query = gr_str_of(mark);
    *ret_version = version;
    return split_headers(next, request);
}

/* --- as RFC 9112 says it --- */

struct letter {
    size_t headers;
    size_t lengths;
    size_t codings;
    gr_str length;
};

static const char *find_line_end(const char *at, const char *end)
{
    for (; at + 1 < end; at++) {
        if (at[0] == '\r' && at[1] == '\n')
            return at;
        if (at[0] == '\r' || at[0] == '\n' || at[0] == '\0')
            return NULL;
    }
    return NULL;
}

static bool is_token(const char *at, const char *end)
{
    if (at == end)
        return false;
    for (; at < end; at++) {
        if (*at == '\0' || (!isalnum((unsigned char)*at) && !strchr("!#$%&'*+-.^_`|~", *at)))
            return false;
    }
    return true;
}

static bool read_line(const char *at, const char *end)
{
    const char *first = memchr(at, ' ', (size_t)(end - at));
    const char *second = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;

    if (!second || !is_token(at, first) || first[1] != '/' || end - second != 9)
        return false;
    for (const char *c = first + 1; c < second; c++) {
        if (!isgraph((unsigned char)*c))
            return false;
    }
    return memcmp(second + 1, "HTTP/1.", 7) == 0 && (second[8] == '0' || second[8] == '1');
}

static bool read_header(const char *at, const char *end, struct letter *letter)
{
    const char *colon = memchr(at, ':', (size_t)(end - at));

    if (!colon || !is_token(at, colon))
        return false;
    size_t name = (size_t)(colon - at);
    bool length = name == 14 && strncasecmp(at, "Content-Length", name) == 0;
    letter->headers++;
    letter->lengths += length;
    letter->codings += name == 17 && strncasecmp(at, "Transfer-Encoding", name) == 0;
    for (colon++; colon < end && (*colon == ' ' || *colon == '\t'); colon++)
        continue;
    if (length)
        letter->length = (gr_str){colon, (size_t)(end - colon)};
    return true;
}

static bool read_head(const char *at, const char *end, struct letter *letter)
{
    const char *line_end = find_line_end(at, end);

    if (!line_end || !read_line(at, line_end))
        return false;
    at = line_end + 2;
    for (;; at = line_end + 2) {
        line_end = find_line_end(at, end);
        if (!line_end)
            return false;
        if (line_end == at)
            return at + 2 == end;
        if (!read_header(at, line_end, letter))
            return false;
    }
}

/* The input does not end with a zero byte, so no function of the C library may read this number. */
static long long number_of(gr_str text)
{
    long long number = 0;

    for (size_t i = 0; i < text.len && isdigit((unsigned char)text.ptr[i]); i++)
        number = number * 10 + (text.ptr[i] - '0');
    return number;
}

static void compare(const struct grc_request *request, const struct letter *letter)
{
    if (letter->headers != request->header_count || letter->lengths > 1 || letter->codings > 1 ||
        (letter->lengths && letter->codings))
        abort();
    if (letter->codings && request->content_length != -1)
        abort();
    if (!letter->codings && !letter->lengths && request->content_length != 0)
        abort();
    if (letter->lengths &&
        (request->content_length < 0 || request->content_length != number_of(letter->length)))
        abort();
}

/* CivetWeb must find the same request line in its copy, as one of HTTP/1.1, and no header. */
static void compare_civetweb(const char *head, size_t len, const struct grc_request *request)
{
    struct grc_request other = {.path = {NULL, 0}};
    const char *version = NULL;
    char *copy = malloc(len);

    if (!copy)
        return;
    if (!split(copy, grc_framing_copy(copy, head, len), &other, &version) ||
        strcmp(version, "HTTP/1.1") != 0 || other.header_count != 0 ||
        !gr_str_eq(other.method_text, request->method_text) ||
        !gr_str_eq(other.path, request->path) || !gr_str_eq(other.query, request->query))
        abort();
    free(copy);
}

static void try_head(char *buffer, size_t len)
{
    struct grc_request request = {.path = {NULL, 0}};
    struct letter letter = {.headers = 0};
    size_t skipped = 0;
    enum gr_err err = grc_framing_read(buffer, len, &limits, &request, &skipped);

    if (err != request.broken || (err != GR_OK) != (request.broken_reason != NULL))
        abort();
    if (err != GR_OK && grc_framing_keep_alive(&request))
        abort();
    if (err != GR_OK)
        return;
    if (!read_head(buffer + skipped, buffer + len, &letter))
        abort();
    compare(&request, &letter);
    compare_civetweb(buffer + skipped, len - skipped, &request);
    grc_framing_terminate(buffer, &request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t scanned = 0;

    if (size == 0)
        return 0;
    char *buffer =
        malloc(size); /* of exactly this size, so that a sanitizer sees a read past its end */
    if (!buffer)
        return 0;
    memcpy(buffer, data, size);
    long len = grc_framing_scan(buffer, size, &scanned);
    if (len > 0) {
        try_head(buffer, (size_t)len);
    } else {
        struct grc_request request = {.path = {NULL, 0}};

        if (grc_framing_refuse(buffer, size, &request, GR_ERR_HEADERS, "too large") !=
            request.broken)
            abort();
    }
    free(buffer);
    return 0;
}
