/* Heads of requests: split in place the way CivetWeb 1.15 does it, then judged. Whatever passes
 * must be a head by the letter of RFC 9112, and must have been read as such a reader reads it. */
#include "http/framing.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define URI_MAX 300u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- CivetWeb's way --- */

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

/* It knows some methods by name, all of capitals. */
static bool is_method(const char *at)
{
    return *at != '\0' && at[strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* False where CivetWeb would refuse by itself. */
static bool split(char *buffer, size_t size, struct grc_request *request,
                  struct grc_framing *framing)
{
    char *at = buffer;

    while (at < buffer + size && isspace((unsigned char)*at))
        at++;
    if (at == buffer + size || iscntrl((unsigned char)*at))
        return false;
    size_t len = head_len(at, size - (size_t)(at - buffer));
    if (len == 0)
        return false;
    at[len - 1] = '\0';
    char *target = end_word(at, false);
    char *version = target ? end_word(target, false) : NULL;
    char *next = version ? end_word(version, true) : NULL;
    if (!next || strncmp(version, "HTTP/", 5) != 0 || !is_method(at))
        return false;
    char *mark = strchr(target, '?');
    if (mark)
        *mark++ = '\0';
    request->method_text = gr_str_of(at);
    request->path = gr_str_of(target);
    request->query = gr_str_of(mark);
    *framing = (struct grc_framing){
        .base = buffer, .limit = buffer + size, .version = version + 5, .uri_max = URI_MAX};
    return split_headers(next, request);
}

/* --- by the letter --- */

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

/* Where the request line ends. CivetWeb writes over the two bytes that end it, after it has made
 * sure that the first is CR or LF and the second white space: which of them it was, nobody can tell
 * later, so this one leniency of its stays. */
static const char *find_request_line_end(const char *at, const char *end)
{
    while (at < end && *at != '\r' && *at != '\n' && *at != '\0')
        at++;
    return at + 1 < end && *at != '\0' && (at[1] == '\n' || at[1] == '\r' || at[1] == ' ') ? at
                                                                                           : NULL;
}

static bool read_head(const char *at, const char *end, struct letter *letter)
{
    if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
        at += 2;
    const char *line_end = find_request_line_end(at, end);
    if (!line_end || !read_line(at, line_end))
        return false;
    at = line_end + 2;
    if (end - at >= 2 && isspace((unsigned char)at[0]) && isspace((unsigned char)at[1]))
        return true; /* no header at all: written over in the same way */
    for (;; at = line_end + 2) {
        line_end = find_line_end(at, end);
        if (!line_end)
            return false;
        if (line_end == at)
            return true;
        if (!read_header(at, line_end, letter))
            return false;
    }
}

/* The input has no zero byte at its end, so nothing of the C library may read this number. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grc_request request = {.path = {NULL, 0}};
    struct grc_framing framing;
    struct letter letter = {.headers = 0};

    if (size == 0)
        return 0;
    char *buffer = malloc(size); /* exactly, so that a read past its end is seen */
    if (!buffer)
        return 0;
    memcpy(buffer, data, size);
    if (split(buffer, size, &request, &framing)) {
        enum gr_err err = grc_framing_check(&request, &framing);

        if (err != request.broken || (err != GR_OK) != (request.broken_reason != NULL))
            abort();
        if (err != GR_OK && grc_framing_keep_alive(&request))
            abort();
        if (err == GR_OK && !read_head((const char *)data, (const char *)data + size, &letter))
            abort();
        if (err == GR_OK)
            compare(&request, &letter);
    }
    free(buffer);
    return 0;
}
