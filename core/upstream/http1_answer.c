#include "upstream/http1_answer.h"

#include "base/field.h"
#include "base/secure.h"

#define STATUS_LINE_MIN 12u /* "HTTP/1.1 200" */
#define CHUNK_LINE_FREE 24u /* enough for any size; what is longer has an extension */

enum state { STATUS_LINE, FIELDS, BODY, BODY_TO_CLOSE, CHUNK_LINE, CHUNK, CHUNK_END, TRAILERS };

/* The result of a step. */
enum found { FOUND = 1, NOT_YET, WHOLE, BROKEN };

static enum found broken(struct grc_http1_answer *answer, const char *reason)
{
    answer->reason = reason;
    return BROKEN;
}

/* Begins a head, and forgets the one of an interim answer. */
static void begin_head(struct grc_http1_answer *answer)
{
    answer->state = STATUS_LINE;
    answer->status = 0;
    answer->minor_0 = answer->chunked = answer->close = answer->keep_alive = false;
    answer->length = -1;
    answer->kept_max_s = -1;
}

void grc_http1_answer_begin(struct grc_http1_answer *answer)
{
    begin_head(answer);
    answer->kept = false;
    answer->reason = NULL;
    answer->left = 0;
    answer->head_used = answer->at = answer->scanned = answer->body_at = answer->body_len = 0;
    grc_buf_clear(answer->in);
}

/* --- lines --- */

/*
 * Takes the next line, without its CR LF. Its bytes count against GRC_HTTP1_HEAD_MAX except for the
 * first `uncounted` ones, since an answer may have any number of chunks.
 */
static enum found take_line(struct grc_http1_answer *answer, size_t uncounted, gr_str *ret_line)
{
    const char *text = answer->in->ptr;
    size_t len = answer->in->len;
    const char *feed =
        len > answer->scanned ? memchr(text + answer->scanned, '\n', len - answer->scanned) : NULL;
    size_t line = (feed ? (size_t)(feed - text) + 1 : len) - answer->at;
    size_t counted = line > uncounted ? line - uncounted : 0;

    if (answer->head_used + counted > GRC_HTTP1_HEAD_MAX)
        return broken(answer, "the head is too large");
    answer->scanned = len;
    if (!feed)
        return NOT_YET;
    gr_str whole = {text + answer->at, line};
    answer->at += line;
    answer->scanned = answer->at;
    answer->head_used += counted;
    if (line < 2 || whole.ptr[line - 2] != '\r')
        return broken(answer, "a line ends without CR");
    whole.len -= 2;
    if (whole.len && (memchr(whole.ptr, '\r', whole.len) || memchr(whole.ptr, '\0', whole.len)))
        return broken(answer, "a CR or NUL inside of a line");
    *ret_line = whole;
    return FOUND;
}

/* --- the status line --- */

/* False as soon as the bytes cannot be the start of an answer. Otherwise the greeting of another
 * protocol would be waited on for a line feed that may never come. */
static bool may_be_http(const struct grc_http1_answer *answer)
{
    static const char start[] = "HTTP/1.";
    size_t have = answer->in->len - answer->at;
    size_t len = have < sizeof(start) - 1 ? have : sizeof(start) - 1;

    return len == 0 || memcmp(answer->in->ptr + answer->at, start, len) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum found read_status_line(struct grc_http1_answer *answer)
{
    gr_str line;

    if (!may_be_http(answer))
        return broken(answer, "it is not HTTP/1");
    enum found found = take_line(answer, 0, &line);
    if (found != FOUND)
        return found;
    const char *at = line.ptr;
    if (line.len < STATUS_LINE_MIN || (at[7] != '0' && at[7] != '1') || at[8] != ' ' ||
        at[9] < '1' || at[9] > '5' || !is_digit(at[10]) || !is_digit(at[11]) ||
        (line.len > STATUS_LINE_MIN && at[12] != ' '))
        return broken(answer, "the status line is malformed");
    answer->minor_0 = at[7] == '0';
    answer->status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
    if (answer->status == 101)
        return broken(answer, "it switches to a protocol that was not asked for");
    answer->state = FIELDS;
    return FOUND;
}

/* --- fields --- */

/* Reads Content-Length. A list of equal numbers counts as one number (RFC 9112, section 6.3). */
static enum found read_length(struct grc_http1_answer *answer, gr_str value)
{
    gr_str one;

    while (grc_field_next(&value, &one)) {
        int64_t length;
        if (!grc_field_number(one, &length))
            return broken(answer, "Content-Length is not a number");
        if (answer->length >= 0 && answer->length != length)
            return broken(answer, "there are two different values of Content-Length");
        answer->length = length;
    }
    return FOUND;
}

static void read_connection(struct grc_http1_answer *answer, gr_str value)
{
    gr_str one;

    while (grc_field_next(&value, &one)) {
        if (grc_field_is(one, "close"))
            answer->close = true;
        else if (grc_field_is(one, "keep-alive"))
            answer->keep_alive = true;
    }
}

/* Reads Keep-Alive, "timeout=5, max=100": the server closes the connection when it was unused for
 * that many seconds. */
static void read_keep_alive(struct grc_http1_answer *answer, gr_str value)
{
    static const char timeout[] = "timeout=";
    const size_t len = sizeof(timeout) - 1;
    gr_str one;
    int64_t seconds;

    while (grc_field_next(&value, &one)) {
        if (one.len > len && grc_field_is((gr_str){one.ptr, len}, timeout) &&
            grc_field_number((gr_str){one.ptr + len, one.len - len}, &seconds))
            answer->kept_max_s = seconds;
    }
}

/* Reads the fields that tell where the answer ends, and whether the connection is kept. */
static enum found read_framing(struct grc_http1_answer *answer, const struct gr_pair *pair)
{
    switch (pair->name.len) {
    case sizeof("Connection") - 1:
        if (grc_field_is(pair->name, "Connection"))
            read_connection(answer, pair->value);
        else if (grc_field_is(pair->name, "Keep-Alive"))
            read_keep_alive(answer, pair->value);
        return FOUND;
    case sizeof("Content-Length") - 1:
        return grc_field_is(pair->name, "Content-Length") ? read_length(answer, pair->value)
                                                          : FOUND;
    case sizeof("Transfer-Encoding") - 1:
        if (!grc_field_is(pair->name, "Transfer-Encoding"))
            return FOUND;
        if (answer->chunked || !grc_field_is(pair->value, "chunked"))
            return broken(answer, "a Transfer-Encoding other than chunked");
        answer->chunked = true;
        return FOUND;
    default:
        return FOUND;
    }
}

/* Splits a field line. A folded line has no name, so it is refused (RFC 9112, section 5.2). */
static enum found split_field(struct grc_http1_answer *answer, gr_str line, struct gr_pair *ret)
{
    const char *colon = memchr(line.ptr, ':', line.len);

    if (!colon)
        return broken(answer, "a header line without a colon");
    size_t len = (size_t)(colon - line.ptr);
    ret->name = (gr_str){line.ptr, len};
    ret->value = grc_field_trim((gr_str){colon + 1, line.len - len - 1});
    return grc_field_token(ret->name) ? FOUND : broken(answer, "a header name is malformed");
}

static enum found end_head(struct grc_http1_answer *answer)
{
    if (answer->status < 200) {
        begin_head(answer);
        return FOUND;
    }
    if (answer->chunked && answer->length >= 0)
        return broken(answer, "Content-Length beside Transfer-Encoding");
    if (answer->chunked && answer->minor_0)
        return broken(answer, "Transfer-Encoding in HTTP/1.0");
    answer->kept = !answer->close && (!answer->minor_0 || answer->keep_alive);
    answer->body_at = answer->at;
    if (answer->to_head || answer->status == 304)
        return WHOLE;
    if (answer->status == 204) {
        /* It has no body. A server that announces one may send it, so the connection is not kept.
         */
        answer->kept = answer->kept && !answer->chunked && answer->length <= 0;
        return WHOLE;
    }
    if (answer->chunked) {
        answer->state = CHUNK_LINE;
        return FOUND;
    }
    if (answer->length < 0) {
        answer->kept = false;
        answer->state = BODY_TO_CLOSE;
        return FOUND;
    }
    if ((uint64_t)answer->length > answer->body_max)
        return broken(answer, "the body is too large");
    answer->left = answer->length;
    answer->state = BODY;
    return FOUND;
}

static enum found read_field(struct grc_http1_answer *answer)
{
    struct gr_pair pair;
    gr_str line;
    enum found found = take_line(answer, 0, &line);

    if (found != FOUND)
        return found;
    if (line.len == 0)
        return end_head(answer);
    found = split_field(answer, line, &pair);
    if (found == FOUND)
        found = read_framing(answer, &pair);
    if (found == FOUND && answer->status >= 200)
        answer->fields.field(answer->fields.arg, &pair);
    return found;
}

static enum found read_trailer(struct grc_http1_answer *answer)
{
    struct gr_pair pair;
    gr_str line;
    enum found found = take_line(answer, 0, &line);

    if (found != FOUND)
        return found;
    return line.len ? split_field(answer, line, &pair) : WHOLE;
}

/* --- the body --- */

/* Moves count bytes at `at` to the end of the body. */
static enum found take_body(struct grc_http1_answer *answer, size_t count)
{
    char *text = answer->in->ptr;
    size_t end = answer->body_at + answer->body_len;

    if (count > answer->body_max - answer->body_len)
        return broken(answer, "the body is too large");
    if (end != answer->at)
        memmove(text + end, text + answer->at, count);
    answer->body_len += count;
    answer->at += count;
    answer->scanned = answer->at;
    return FOUND;
}

/* Takes those of the `left` bytes that have come, and enters the next state after the last one. */
static enum found take_left(struct grc_http1_answer *answer, enum state next)
{
    size_t have = answer->in->len - answer->at;
    size_t count = (uint64_t)answer->left < have ? (size_t)answer->left : have;
    enum found found = take_body(answer, count);

    answer->left -= (int64_t)count;
    if (found != FOUND || answer->left > 0)
        return found == FOUND ? NOT_YET : found;
    answer->state = (unsigned char)next;
    return FOUND;
}

static enum found read_body(struct grc_http1_answer *answer)
{
    enum found found = take_left(answer, BODY);

    return found == FOUND ? WHOLE : found;
}

static enum found read_to_close(struct grc_http1_answer *answer)
{
    enum found found = take_body(answer, answer->in->len - answer->at);

    return found == FOUND ? NOT_YET : found;
}

/* Reads the size of a chunk, "1a2b". Blanks and an extension behind a semicolon are ignored (RFC
 * 9112, section 7.1.1). */
static enum found read_chunk_line(struct grc_http1_answer *answer)
{
    gr_str line;
    int64_t size = 0;
    size_t i = 0;
    enum found found = take_line(answer, CHUNK_LINE_FREE, &line);

    if (found != FOUND)
        return found;
    for (; i < line.len && grc_hex_digit(line.ptr[i]) >= 0; i++) {
        if (size > INT64_MAX >> 4)
            return broken(answer, "a chunk is too large");
        size = size << 4 | grc_hex_digit(line.ptr[i]);
    }
    gr_str rest = grc_field_trim((gr_str){line.ptr + i, line.len - i});
    if (i == 0 || (rest.len && rest.ptr[0] != ';'))
        return broken(answer, "the size of a chunk is malformed");
    if ((uint64_t)size > answer->body_max - answer->body_len)
        return broken(answer, "the body is too large");
    answer->left = size;
    answer->state = size ? CHUNK : TRAILERS;
    return FOUND;
}

static enum found read_chunk_end(struct grc_http1_answer *answer)
{
    const char *at = answer->in->ptr + answer->at;
    size_t have = answer->in->len - answer->at;

    if ((have > 0 && at[0] != '\r') || (have > 1 && at[1] != '\n'))
        return broken(answer, "a chunk is longer than its size");
    if (have < 2)
        return NOT_YET;
    answer->at += 2;
    answer->scanned = answer->at;
    answer->state = CHUNK_LINE;
    return FOUND;
}

/* --- all of it --- */

static enum found step(struct grc_http1_answer *answer)
{
    switch ((enum state)answer->state) {
    case STATUS_LINE:
        return read_status_line(answer);
    case FIELDS:
        return read_field(answer);
    case BODY:
        return read_body(answer);
    case BODY_TO_CLOSE:
        return read_to_close(answer);
    case CHUNK_LINE:
        return read_chunk_line(answer);
    case CHUNK:
        return take_left(answer, CHUNK_END);
    case CHUNK_END:
        return read_chunk_end(answer);
    case TRAILERS:
    default:
        return read_trailer(answer);
    }
}

/* Closes the gap that the framing of chunks has left, so that it takes no memory. */
static void squeeze(struct grc_http1_answer *answer)
{
    struct grc_buf *in = answer->in;
    size_t end = answer->body_at + answer->body_len;

    if (answer->state < CHUNK_LINE || answer->at == end)
        return;
    memmove(in->ptr + end, in->ptr + answer->at, in->len - answer->at);
    in->len -= answer->at - end;
    answer->scanned -= answer->at - end;
    answer->at = end;
}

enum grc_http1_end grc_http1_answer_read(struct grc_http1_answer *answer)
{
    enum found found;

    do
        found = step(answer);
    while (found == FOUND);
    if (found == BROKEN) {
        answer->kept = false;
        return GRC_HTTP1_BROKEN;
    }
    if (found == NOT_YET) {
        squeeze(answer);
        return GRC_HTTP1_MORE;
    }
    /* With bytes behind its end the answer is still good, but the connection cannot be reused. */
    if (answer->at != answer->in->len)
        answer->kept = false;
    return GRC_HTTP1_WHOLE;
}

enum grc_http1_end grc_http1_answer_closed(struct grc_http1_answer *answer)
{
    answer->kept = false;
    if (answer->state == BODY_TO_CLOSE)
        return GRC_HTTP1_WHOLE;
    answer->reason = answer->in->len || answer->head_used
                         ? "the connection ended before the answer did"
                         : "the connection ended without an answer";
    return GRC_HTTP1_BROKEN;
}

size_t grc_http1_answer_awaits(const struct grc_http1_answer *answer)
{
    return answer->state == BODY || answer->state == CHUNK ? (size_t)answer->left : 0;
}

gr_str grc_http1_answer_body(const struct grc_http1_answer *answer)
{
    return (gr_str){answer->in->ptr ? answer->in->ptr + answer->body_at : NULL, answer->body_len};
}
