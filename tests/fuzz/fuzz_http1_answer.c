/* Reads any bytes as the answer of an upstream. The first byte of an input says how the rest
 * arrives. Bit 0 means that it answers a HEAD, bit 1 that the connection is closed at the end. The
 * other bits are the number of bytes in each piece, where 0 means all at once. The result must not
 * depend on the pieces. When the answer is accepted, the result must also be that of a second
 * reader, which gets all bytes at once and follows RFC 9112 in the simplest way. */
#include "upstream/http1_answer.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#define BODY_MAX 4096u
#define FIELDS_MAX 256u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    struct grc_buf in;
    struct grc_http1_answer answer;
    enum grc_http1_end end;
    size_t fields;
    size_t used; /* bytes fed */
};

static void on_field(void *arg, const struct gr_pair *pair)
{
    struct reading *reading = arg;

    if (pair->name.len == 0 || memchr(pair->name.ptr, ':', pair->name.len))
        abort();
    for (size_t i = 0; i < pair->value.len; i++) {
        if (strchr("\r\n", pair->value.ptr[i])) /* strchr() finds the NUL at the end as well */
            abort();
    }
    if (reading->answer.status < 200)
        abort();
    reading->fields++;
}

static void read_all(struct reading *reading, const char *bytes, size_t size, unsigned how)
{
    size_t piece = how >> 2 ? how >> 2 : size;

    grc_buf_init(&reading->in, BODY_MAX + 3 * GRC_HTTP1_HEAD_MAX);
    reading->answer.in = &reading->in;
    reading->answer.body_max = BODY_MAX;
    reading->answer.to_head = how & 1;
    reading->answer.fields = (struct grc_http1_fields){on_field, reading};
    grc_http1_answer_begin(&reading->answer);
    reading->end = GRC_HTTP1_MORE;
    while (reading->end == GRC_HTTP1_MORE && reading->used < size) {
        size_t count = size - reading->used < piece ? size - reading->used : piece;
        enum gr_err err = grc_buf_add(&reading->in, bytes + reading->used, count);
        if (err == GR_ERR_NO_MEMORY)
            exit(EXIT_FAILURE);
        if (err != GR_OK) /* the parser keeps more than its limit */
            abort();
        reading->used += count;
        reading->end = grc_http1_answer_read(&reading->answer);
    }
    if (reading->end == GRC_HTTP1_MORE && (how & 2))
        reading->end = grc_http1_answer_closed(&reading->answer);
}

/* --- the second reader --- */

struct letter {
    int status;
    bool chunked;
    long long length; /* -1: there is none */
    size_t fields;
    char *body;
    size_t body_len;
};

/* Returns the line at *at without its line end, and moves *at behind it. Every line of an accepted
 * answer has a line end. */
static gr_str next_line(const char **at, const char *end)
{
    const char *line = *at;
    const char *feed = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;

    if (!feed || feed == line || feed[-1] != '\r')
        abort();
    *at = feed + 1;
    return (gr_str){line, (size_t)(feed - 1 - line)};
}

static const char *value_of(gr_str line, const char *name)
{
    size_t len = strlen(name);

    return line.len > len && strncasecmp(line.ptr, name, len) == 0 && line.ptr[len] == ':'
               ? line.ptr + len + 1
               : NULL;
}

static const char *read_head(struct letter *letter, const char *at, const char *end)
{
    gr_str line = next_line(&at, end);

    *letter = (struct letter){.length = -1, .body = letter->body};
    if (line.len < 12 || memcmp(line.ptr, "HTTP/1.", 7) != 0)
        abort();
    letter->status = (line.ptr[9] - '0') * 100 + (line.ptr[10] - '0') * 10 + line.ptr[11] - '0';
    for (line = next_line(&at, end); line.len; line = next_line(&at, end)) {
        const char *length = value_of(line, "Content-Length");

        letter->fields++;
        letter->chunked = letter->chunked || value_of(line, "Transfer-Encoding");
        if (length) {
            while (*length == ' ' || *length == '\t')
                length++;
            letter->length = 0;
            for (; isdigit((unsigned char)*length) && letter->length <= BODY_MAX; length++)
                letter->length = letter->length * 10 + (*length - '0');
        }
    }
    return at;
}

static void read_chunks(struct letter *letter, const char *at, const char *end)
{
    for (;;) {
        gr_str line = next_line(&at, end);
        size_t size = 0;

        for (size_t i = 0; i < line.len && isxdigit((unsigned char)line.ptr[i]); i++) {
            int c = tolower((unsigned char)line.ptr[i]);
            size = size * 16 + (size_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
        }
        if (size == 0)
            break;
        if (size > BODY_MAX - letter->body_len || (size_t)(end - at) < size + 2)
            abort();
        memcpy(letter->body + letter->body_len, at, size);
        letter->body_len += size;
        at += size;
        if (next_line(&at, end).len != 0)
            abort();
    }
    while (next_line(&at, end).len)
        continue;
}

static void read_letter(struct letter *letter, const char *bytes, size_t size, bool to_head)
{
    const char *end = bytes + size;
    const char *at = bytes;

    do
        at = read_head(letter, at, end);
    while (letter->status < 200);
    if (to_head || letter->status == 204 || letter->status == 304)
        return;
    if (letter->chunked) {
        if (letter->length >= 0)
            abort();
        read_chunks(letter, at, end);
        return;
    }
    letter->body_len = letter->length < 0 ? (size_t)(end - at) : (size_t)letter->length;
    if (letter->body_len > BODY_MAX || letter->body_len > (size_t)(end - at))
        abort();
    memcpy(letter->body, at, letter->body_len);
}

/* --- comparing --- */

static void compare_with_letter(const struct reading *reading, const char *bytes, size_t size)
{
    static char body[BODY_MAX];
    struct letter letter = {.body = body};
    gr_str given = grc_http1_answer_body(&reading->answer);

    read_letter(&letter, bytes, size, reading->answer.to_head);
    if (letter.status != reading->answer.status || letter.fields != reading->fields ||
        !gr_str_eq(given, (gr_str){body, letter.body_len}))
        abort();
}

static void compare(const struct reading *a, const struct reading *b)
{
    if (a->end != b->end || a->fields != b->fields)
        abort();
    if (a->end == GRC_HTTP1_BROKEN && strcmp(a->answer.reason, b->answer.reason) != 0)
        abort();
    if (a->end != GRC_HTTP1_WHOLE)
        return;
    if (a->answer.status != b->answer.status ||
        !gr_str_eq(grc_http1_answer_body(&a->answer), grc_http1_answer_body(&b->answer)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading whole = {.used = 0};
    struct reading pieces = {.used = 0};

    if (size < 2)
        return 0;
    const char *bytes = (const char *)data + 1;
    size--;
    read_all(&whole, bytes, size, data[0] & 3u);
    read_all(&pieces, bytes, size, data[0]);
    compare(&whole, &pieces);
    if (whole.end == GRC_HTTP1_WHOLE)
        compare_with_letter(&whole, bytes, size);
    grc_buf_done(&whole.in);
    grc_buf_done(&pieces.in);
    return 0;
}
