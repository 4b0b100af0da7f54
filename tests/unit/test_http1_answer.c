/* Answers of upstreams as they come over the wire, with what is made of them. Each is fed in one
 * piece, byte by byte, and in two pieces cut at every place. */
#include "upstream/http1_answer.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BODY_MAX 1000u
#define FIELDS_MAX 512u

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define LENGTH(n) "Content-Length: " #n "\r\n"

/* Bytes with their length, so that a NUL can be among them. */
#define BYTES(text)                                                                                \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

struct example {
    const char *name;
    gr_str bytes;
    const char *body; /* NULL: it is broken */
    int status;
    const char *reason; /* when broken */
    bool kept;
    bool closes;  /* the upstream closes behind it */
    bool to_head; /* it answers a HEAD request */
    const char *fields;
};

#define WHOLE(name_, bytes_, status_, body_, ...)                                                  \
    {                                                                                              \
        .name = name_, .bytes = BYTES(bytes_), .status = status_, .body = body_, __VA_ARGS__       \
    }
#define BROKEN(name_, bytes_, reason_, ...)                                                        \
    {                                                                                              \
        .name = name_, .bytes = BYTES(bytes_), .reason = reason_, __VA_ARGS__                      \
    }

#define NO_HTTP "it is not HTTP/1"
#define BAD_LINE "the status line is malformed"
#define NO_CR "a line ends without CR"
#define CR_INSIDE "a CR or NUL inside of a line"
#define BAD_NAME "a header name is malformed"
#define NO_COLON "a header line without a colon"
#define NO_NUMBER "Content-Length is not a number"
#define TWO_LENGTHS "Content-Length says two things"
#define BAD_CODING "a Transfer-Encoding other than chunked"
#define BAD_SIZE "the size of a chunk is malformed"
#define LONG_CHUNK "a chunk is longer than it said"
#define CUT "the connection ended before it did"
#define NOTHING "the connection ended without one"
#define TOO_LARGE "the body is too large"

static const struct example examples[] = {
    /* --- as honest servers write them --- */
    WHOLE("length", OK LENGTH(2) "\r\n{}", 200, "{}", .kept = true),
    WHOLE("no body", OK LENGTH(0) "\r\n", 200, "", .kept = true),
    WHOLE("names have no case", OK "CONTENT-LENGTH:2\r\n\r\n{}", 200, "{}", .kept = true),
    WHOLE("blanks around a value", OK "Content-Length: \t 2 \t\r\n\r\n{}", 200, "{}", .kept = true),
    WHOLE("one chunk", CHUNKED "2\r\n{}\r\n0\r\n\r\n", 200, "{}", .kept = true),
    WHOLE("chunks", CHUNKED "1\r\n[\r\n00002\r\n1,\r\nA\r\n0123456789\r\n1\r\n]\r\n000\r\n\r\n",
          200, "[1,0123456789]", .kept = true),
    WHOLE("chunks with CR LF in them", CHUNKED "4\r\n\r\n\r\n\r\n2\r\n0\r\r\n0\r\n\r\n", 200,
          "\r\n\r\n0\r", .kept = true),
    WHOLE("no chunk", CHUNKED "0\r\n\r\n", 200, "", .kept = true),
    WHOLE("coding without case", OK "transfer-encoding: Chunked\r\n\r\n0\r\n\r\n", 200, "",
          .kept = true),
    WHOLE("extensions of chunks", CHUNKED "2;a=b;c=\"d;\\\"\"\r\n{}\r\n0;e\r\n\r\n", 200, "{}",
          .kept = true),
    WHOLE("trailers", CHUNKED "2\r\n{}\r\n0\r\nX-Sum: 1\r\nContent-Length: 7\r\n\r\n", 200, "{}",
          .kept = true, .fields = "200 Transfer-Encoding=chunked;"),
    WHOLE("up to the close", OK "X-A: b\r\n\r\n{\"a\":1}", 200, "{\"a\":1}", .closes = true),
    WHOLE("nothing up to the close", OK "\r\n", 200, "", .closes = true),
    WHOLE("an interim answer", "HTTP/1.1 100 Continue\r\n\r\n" OK LENGTH(2) "\r\n{}", 200, "{}",
          .kept = true, .fields = "200 Content-Length=2;"),
    WHOLE("early hints",
          "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"
          "HTTP/1.1 102 Processing\r\n\r\n" OK LENGTH(2) "\r\n{}",
          200, "{}", .kept = true, .fields = "200 Content-Length=2;"),
    WHOLE("204", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", .kept = true),
    WHOLE("304 with the length of what it does not send",
          "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", 304, "", .kept = true),
    WHOLE("HEAD", OK LENGTH(500) "\r\n", 200, "", .kept = true, .to_head = true),
    WHOLE("HEAD, chunked", CHUNKED, 200, "", .kept = true, .to_head = true),
    WHOLE("a failure with a body",
          "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}", 503, "{}",
          .kept = true, .fields = "503 Content-Length=2;"),
    WHOLE("close", OK "Connection: close\r\n" LENGTH(2) "\r\n{}", 200, "{}"),
    WHOLE("close among others", OK "Connection: x, CLOSE\r\n" LENGTH(2) "\r\n{}", 200, "{}"),
    WHOLE("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}"),
    WHOLE("HTTP/1.0 that stays",
          "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n{}", 200, "{}",
          .kept = true),
    WHOLE("HTTP/1.0 that cannot decide",
          "HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 2\r\n\r\n{}", 200,
          "{}"),
    WHOLE("a later minor version", "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}",
          .kept = true),
    WHOLE("no reason phrase", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}", 200, "{}",
          .kept = true),
    WHOLE("a reason in UTF-8", "HTTP/1.1 404 Non trouv\xc3\xa9\r\nContent-Length: 0\r\n\r\n", 404,
          "", .kept = true),
    WHOLE("values of every kind",
          OK "X-Empty:\r\nX-Colon: a:b\r\nX-Utf8: \xc3\xa9\r\nX-Bell: a\x07z\r\n" LENGTH(0) "\r\n",
          200, "", .kept = true,
          .fields = "200 X-Empty=;X-Colon=a:b;X-Utf8=\xc3\xa9;X-Bell=a\x07z;Content-Length=0;"),

    /* --- not by the letter, but seen in the field and without a second meaning --- */
    WHOLE("no blank behind the status", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", 200, "{}",
          .kept = true),
    WHOLE("one length twice", OK LENGTH(2) LENGTH(2) "\r\n{}", 200, "{}", .kept = true),
    WHOLE("one length in a list", OK "Content-Length: 2, 2\r\n\r\n{}", 200, "{}", .kept = true),
    WHOLE("blanks behind the size of a chunk", CHUNKED "2  \r\n{}\r\n0 \r\n\r\n", 200, "{}",
          .kept = true),
    WHOLE("204 with a length of 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, "",
          .kept = true),
    WHOLE("204 that announces a body", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}",
          204, ""),
    WHOLE("204 in chunks", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204,
          ""),
    WHOLE("bytes behind the end", OK LENGTH(2) "\r\n{}HTTP/1.1 200 OK\r\n", 200, "{}"),
    WHOLE("bytes behind the last chunk", CHUNKED "0\r\n\r\nx", 200, ""),
    WHOLE("more than the length", OK LENGTH(2) "\r\n{}\n", 200, "{}"),

    /* --- no HTTP --- */
    BROKEN("nothing", "", NOTHING, .closes = true),
    BROKEN("TLS", "\x16\x03\x01 no HTTP\r\n\r\n", NO_HTTP),
    BROKEN("JSON", "{}\n", NO_HTTP),
    BROKEN("an empty line in front", "\r\n" OK LENGTH(2) "\r\n{}", NO_HTTP),
    BROKEN("a blank in front", " " OK LENGTH(2) "\r\n{}", NO_HTTP),
    BROKEN("HTTP/2", "HTTP/2 200\r\n\r\n", NO_HTTP),
    BROKEN("HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", NO_HTTP),
    BROKEN("small letters", "http/1.1 200 OK\r\n\r\n", NO_HTTP),
    BROKEN("ICY", "ICY 200 OK\r\n\r\n", NO_HTTP),
    BROKEN("a request", "GET / HTTP/1.1\r\n\r\n", NO_HTTP),

    /* --- status lines --- */
    BROKEN("no minor version", "HTTP/1. 200 OK\r\n\r\n", BAD_LINE),
    BROKEN("a long minor version", "HTTP/1.10 200 OK\r\n\r\n", BAD_LINE),
    BROKEN("a letter for a version", "HTTP/1.x 200 OK\r\n\r\n", BAD_LINE),
    BROKEN("no status", "HTTP/1.1 \r\n\r\n", BAD_LINE),
    BROKEN("a status of letters", "HTTP/1.1 abc OK\r\n\r\n", BAD_LINE),
    BROKEN("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", BAD_LINE),
    BROKEN("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", BAD_LINE),
    BROKEN("a negative status", "HTTP/1.1 -20 OK\r\n\r\n", BAD_LINE),
    BROKEN("a status below 100", "HTTP/1.1 099 OK\r\n\r\n", BAD_LINE),
    BROKEN("a status above 599", "HTTP/1.1 600 OK\r\n\r\n", BAD_LINE),
    BROKEN("999", "HTTP/1.1 999 OK\r\n\r\n", BAD_LINE),
    BROKEN("two blanks", "HTTP/1.1  200 OK\r\n\r\n", BAD_LINE),
    BROKEN("a tab", "HTTP/1.1\t200 OK\r\n\r\n", BAD_LINE),
    BROKEN("a tab behind the status", "HTTP/1.1 200\tOK\r\n\r\n", BAD_LINE),
    BROKEN("101 that was not asked for",
           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
           "it switches to a protocol that was not asked for"),

    /* --- lines --- */
    BROKEN("LF behind the status line", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n{}", NO_CR),
    BROKEN("LF behind a header", OK "Content-Length: 2\n\r\n{}", NO_CR),
    BROKEN("LF for the empty line", OK LENGTH(2) "\n{}", NO_CR),
    BROKEN("LF only", "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", NO_CR),
    BROKEN("CR in the status line", "HTTP/1.1 200 OK\rX: y\r\n\r\n", CR_INSIDE),
    BROKEN("CR in a value", OK "X-A: b\rContent-Length: 0\r\n\r\n", CR_INSIDE),
    BROKEN("CR CR LF", OK "X-A: b\r\r\n\r\n", CR_INSIDE),
    BROKEN("NUL in the status line", "HTTP/1.1 200 O\0K\r\n\r\n", CR_INSIDE),
    BROKEN("NUL in a name", OK "X\0A: b\r\n\r\n", CR_INSIDE),
    BROKEN("NUL in a value", OK "X-A: b\0c\r\n\r\n", CR_INSIDE),

    /* --- headers --- */
    BROKEN("a folded line", OK "X-A: b\r\n c\r\n" LENGTH(2) "\r\n{}", NO_COLON),
    BROKEN("a folded line with a colon", OK "X-A: b\r\n Content-Length: 2\r\n\r\n{}", BAD_NAME),
    BROKEN("a folded line at first", OK " X-A: b\r\n" LENGTH(2) "\r\n{}", BAD_NAME),
    BROKEN("no colon", OK "X-A\r\n\r\n", NO_COLON),
    BROKEN("no name", OK ": b\r\n\r\n", BAD_NAME),
    BROKEN("a blank in front of the colon", OK "Content-Length : 2\r\n\r\n{}", BAD_NAME),
    BROKEN("a blank in a name", OK "Content Length: 2\r\n\r\n{}", BAD_NAME),
    BROKEN("a name in UTF-8", OK "X-\xc3\xa9: b\r\n\r\n", BAD_NAME),

    /* --- lengths --- */
    BROKEN("two lengths", OK LENGTH(2) LENGTH(3) "\r\n{}", TWO_LENGTHS),
    BROKEN("two lengths in a list", OK "Content-Length: 2, 3\r\n\r\n{}", TWO_LENGTHS),
    BROKEN("a length that overflows", OK LENGTH(99999999999999999999) "\r\n{}", NO_NUMBER),
    BROKEN("a length of 2 to the 64", OK LENGTH(18446744073709551616) "\r\n", NO_NUMBER),
    BROKEN("a length of 2 to the 63", OK LENGTH(9223372036854775808) "\r\n", NO_NUMBER),
    BROKEN("a negative length", OK LENGTH(-2) "\r\n{}", NO_NUMBER),
    BROKEN("a length with a sign", OK LENGTH(+2) "\r\n{}", NO_NUMBER),
    BROKEN("a hexadecimal length", OK LENGTH(0x2) "\r\n{}", NO_NUMBER),
    BROKEN("an empty length", OK "Content-Length:\r\n\r\n{}", NO_NUMBER),
    BROKEN("an empty member", OK "Content-Length: 2,\r\n\r\n{}", NO_NUMBER),
    BROKEN("a blank in a length", OK "Content-Length: 1 0\r\n\r\n{}", NO_NUMBER),
    BROKEN("a length over the limit", OK LENGTH(1001) "\r\n", TOO_LARGE),
    BROKEN("the largest length", OK LENGTH(9223372036854775807) "\r\n", TOO_LARGE),
    BROKEN("a bad length on 204", "HTTP/1.1 204 No\r\nContent-Length: x\r\n\r\n", NO_NUMBER),

    /* --- codings --- */
    BROKEN("chunked and a length",
           OK LENGTH(2) "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
           "Content-Length beside Transfer-Encoding"),
    BROKEN("gzip, chunked", OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    BROKEN("identity", OK "Transfer-Encoding: identity\r\n\r\n", BAD_CODING),
    BROKEN("no coding", OK "Transfer-Encoding:\r\n\r\n", BAD_CODING),
    BROKEN("chunked twice", OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    BROKEN("chunked on two lines",
           OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           BAD_CODING),
    BROKEN("not quite chunked", OK "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    BROKEN("chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "Transfer-Encoding in HTTP/1.0"),

    /* --- chunks --- */
    BROKEN("a size of letters", CHUNKED "xyz\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("no size", CHUNKED "\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("a size with a sign", CHUNKED "+2\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("0x", CHUNKED "0x2\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("a blank in front of a size", CHUNKED " 2\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("two sizes", CHUNKED "2 2\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("only an extension", CHUNKED ";a\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("a size that overflows", CHUNKED "fffffffffffffffff\r\n", "a chunk is too large"),
    BROKEN("a size over the limit", CHUNKED "3e9\r\n", TOO_LARGE),
    BROKEN("sizes over the limit together", CHUNKED "1\r\na\r\n3e8\r\n", TOO_LARGE),
    BROKEN("LF behind a size", CHUNKED "2\n{}\r\n0\r\n\r\n", NO_CR),
    BROKEN("LF behind a chunk", CHUNKED "2\r\n{}\n0\r\n\r\n", LONG_CHUNK),
    BROKEN("CR in an extension", CHUNKED "2;a\rb\r\n{}\r\n0\r\n\r\n", CR_INSIDE),
    BROKEN("a chunk longer than it said", CHUNKED "1\r\n{}\r\n0\r\n\r\n", LONG_CHUNK),
    BROKEN("a chunk shorter than it said", CHUNKED "3\r\n{}\r\n0\r\n\r\n", LONG_CHUNK),
    BROKEN("a trailer without a name", CHUNKED "0\r\n: x\r\n\r\n", BAD_NAME),
    BROKEN("a folded trailer", CHUNKED "0\r\nX: y\r\n z\r\n\r\n", NO_COLON),
    BROKEN("LF for the empty line behind chunks", CHUNKED "0\r\n\n", NO_CR),

    /* --- cut --- */
    BROKEN("cut in the status line", "HTTP/1.1 20", CUT, .closes = true),
    BROKEN("cut behind the status line", OK, CUT, .closes = true),
    BROKEN("cut in the head", OK LENGTH(2), CUT, .closes = true),
    BROKEN("cut in the empty line", OK LENGTH(2) "\r", CUT, .closes = true),
    BROKEN("cut behind an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", CUT, .closes = true),
    BROKEN("cut in the body", OK LENGTH(3) "\r\n{}", CUT, .closes = true),
    BROKEN("cut in front of the body", OK LENGTH(3) "\r\n", CUT, .closes = true),
    BROKEN("cut in a chunk", CHUNKED "5\r\n{}", CUT, .closes = true),
    BROKEN("cut behind a chunk", CHUNKED "2\r\n{}\r\n", CUT, .closes = true),
    BROKEN("cut in front of the last chunk", CHUNKED "2\r\n{}\r\n0\r\n", CUT, .closes = true),
    BROKEN("cut in a trailer", CHUNKED "0\r\nX: y\r\n", CUT, .closes = true),
};

/* --- feeding --- */

struct reader {
    struct grc_buf in;
    struct grc_http1_answer answer;
    char fields[FIELDS_MAX];
    size_t fields_len;
};

static void note_field(void *arg, const struct gr_pair *pair)
{
    struct reader *reader = arg;
    int len;

    if (reader->fields_len == 0)
        reader->fields_len =
            (size_t)snprintf(reader->fields, FIELDS_MAX, "%d ", reader->answer.status);
    len =
        snprintf(reader->fields + reader->fields_len, FIELDS_MAX - reader->fields_len, "%.*s=%.*s;",
                 (int)pair->name.len, pair->name.ptr, (int)pair->value.len, pair->value.ptr);
    assert_true(len > 0 && (size_t)len < FIELDS_MAX - reader->fields_len);
    reader->fields_len += (size_t)len;
}

static void begin(struct reader *reader, bool to_head)
{
    reader->fields_len = 0;
    reader->fields[0] = '\0';
    reader->answer.in = &reader->in;
    reader->answer.body_max = BODY_MAX;
    reader->answer.to_head = to_head;
    reader->answer.fields = (struct grc_http1_fields){note_field, reader};
    grc_http1_answer_begin(&reader->answer);
}

static enum grc_http1_end feed(struct reader *reader, const char *bytes, size_t count)
{
    assert_int_equal(grc_buf_add(&reader->in, bytes, count), GR_OK);
    return grc_http1_answer_read(&reader->answer);
}

/* Feeds the bytes in pieces: the first so long, all others as long as `then`. Stops at the end of
 * the answer, as its reader does: later bytes are not its business. */
static enum grc_http1_end feed_all(struct reader *reader, const struct example *example,
                                   size_t first, size_t then)
{
    enum grc_http1_end end = GRC_HTTP1_MORE;
    size_t at = 0;

    begin(reader, example->to_head);
    while (at < example->bytes.len && end == GRC_HTTP1_MORE) {
        size_t count = at == 0 ? first : then;
        if (count > example->bytes.len - at)
            count = example->bytes.len - at;
        end = feed(reader, example->bytes.ptr + at, count);
        at += count;
    }
    if (end == GRC_HTTP1_MORE && example->closes)
        end = grc_http1_answer_closed(&reader->answer);
    return end;
}

static void check(struct reader *reader, const struct example *example, size_t first, size_t then)
{
    enum grc_http1_end end = feed_all(reader, example, first, then);
    const struct grc_http1_answer *answer = &reader->answer;

    if (end != (example->body ? GRC_HTTP1_WHOLE : GRC_HTTP1_BROKEN))
        fail_msg("'%s' in pieces of %zu and %zu ended as %d: %s", example->name, first, then,
                 (int)end, answer->reason ? answer->reason : "no reason");
    if (!example->body) {
        assert_string_equal(answer->reason, example->reason);
        assert_false(answer->kept);
        return;
    }
    assert_null(answer->reason);
    assert_int_equal(answer->status, example->status);
    if (!gr_str_eq(grc_http1_answer_body(answer), gr_str_of(example->body)))
        fail_msg("'%s': the body is '%.*s'", example->name, (int)grc_http1_answer_body(answer).len,
                 grc_http1_answer_body(answer).ptr);
    /* Bytes behind the end are seen only when they came with it. */
    bool behind = first < example->bytes.len && !example->kept;
    if (answer->kept != example->kept && !behind)
        fail_msg("'%s': kept is %d", example->name, answer->kept);
    if (example->fields)
        assert_string_equal(reader->fields, example->fields);
}

static void every_answer_is_read_the_same_in_any_pieces(void **state)
{
    static struct reader reader;

    (void)state;
    grc_buf_init(&reader.in, BODY_MAX + 2 * GRC_HTTP1_HEAD_MAX);
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct example *example = &examples[i];
        size_t len = example->bytes.len;

        check(&reader, example, len, 1);
        check(&reader, example, 1, 1);
        for (size_t first = 1; first < len; first++) {
            check(&reader, example, first, len);
            check(&reader, example, first, 3);
        }
    }
    grc_buf_done(&reader.in);
}

/* --- limits --- */

static void heads_are_bounded_together(void **state)
{
    static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
    static const char line[] = "X-Flood: 0123456789abcdef\r\n";
    static struct reader reader;
    enum grc_http1_end end = GRC_HTTP1_MORE;
    size_t fed = 0;

    (void)state;
    grc_buf_init(&reader.in, BODY_MAX + 2 * GRC_HTTP1_HEAD_MAX);
    begin(&reader, false);
    for (; end == GRC_HTTP1_MORE && fed < 2 * GRC_HTTP1_HEAD_MAX; fed += sizeof(interim) - 1)
        end = feed(&reader, interim, sizeof(interim) - 1);
    assert_int_equal(end, GRC_HTTP1_BROKEN);
    assert_in_range(fed, GRC_HTTP1_HEAD_MAX, GRC_HTTP1_HEAD_MAX + 2 * sizeof(interim));

    reader.answer.fields.field = NULL; /* not called for interim answers */
    begin(&reader, false);
    end = feed(&reader, CHUNKED "0\r\n", sizeof(CHUNKED "0\r\n") - 1);
    for (fed = 0; end == GRC_HTTP1_MORE && fed < 2 * GRC_HTTP1_HEAD_MAX; fed += sizeof(line) - 1)
        end = feed(&reader, line, sizeof(line) - 1);
    assert_int_equal(end, GRC_HTTP1_BROKEN);
    assert_in_range(fed, GRC_HTTP1_HEAD_MAX / 2, GRC_HTTP1_HEAD_MAX);

    /* A line without an end. */
    begin(&reader, false);
    end = feed(&reader, OK "X: ", sizeof(OK "X: ") - 1);
    for (fed = 0; end == GRC_HTTP1_MORE && fed < 2 * GRC_HTTP1_HEAD_MAX; fed++)
        end = feed(&reader, "y", 1);
    assert_int_equal(end, GRC_HTTP1_BROKEN);
    assert_string_equal(reader.answer.reason, "the head is too large");
    grc_buf_done(&reader.in);
}

/* Frames of chunks take neither memory nor the room of the head; their extensions do. */
static void chunks_may_be_many(void **state)
{
    static struct reader reader;
    const size_t count = 200000;
    enum grc_http1_end end;

    (void)state;
    grc_buf_init(&reader.in, count + 1024);
    begin(&reader, false);
    reader.answer.body_max = count;
    end = feed(&reader, CHUNKED, sizeof(CHUNKED) - 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(end, GRC_HTTP1_MORE);
        end = feed(&reader, "1\r\nx\r\n", 6);
    }
    assert_int_equal(feed(&reader, "0\r\n\r\n", 5), GRC_HTTP1_WHOLE);
    assert_int_equal(grc_http1_answer_body(&reader.answer).len, count);

    begin(&reader, false);
    reader.answer.body_max = count;
    end = feed(&reader, CHUNKED, sizeof(CHUNKED) - 1);
    for (size_t i = 0; end == GRC_HTTP1_MORE && i < GRC_HTTP1_HEAD_MAX; i++)
        end = feed(&reader, "1;extension=0123456789abcdef\r\nx\r\n", 33);
    assert_int_equal(end, GRC_HTTP1_BROKEN);
    assert_string_equal(reader.answer.reason, "the head is too large");
    grc_buf_done(&reader.in);
}

static void a_body_may_be_as_large_as_its_limit(void **state)
{
    static struct reader reader;
    static char body[BODY_MAX + 1];

    (void)state;
    memset(body, 'x', sizeof(body));
    grc_buf_init(&reader.in, BODY_MAX + 2 * GRC_HTTP1_HEAD_MAX);
    begin(&reader, false);
    assert_int_equal(feed(&reader, OK LENGTH(1000) "\r\n", sizeof(OK LENGTH(1000) "\r\n") - 1),
                     GRC_HTTP1_MORE);
    assert_int_equal(grc_http1_answer_awaits(&reader.answer), BODY_MAX);
    assert_int_equal(feed(&reader, body, BODY_MAX), GRC_HTTP1_WHOLE);

    begin(&reader, false);
    assert_int_equal(feed(&reader, OK "\r\n", sizeof(OK "\r\n") - 1), GRC_HTTP1_MORE);
    assert_int_equal(feed(&reader, body, BODY_MAX), GRC_HTTP1_MORE);
    assert_int_equal(grc_http1_answer_awaits(&reader.answer), 0);
    assert_int_equal(feed(&reader, body, 1), GRC_HTTP1_BROKEN);
    assert_string_equal(reader.answer.reason, TOO_LARGE);
    grc_buf_done(&reader.in);
}

static void a_server_says_how_long_it_keeps_a_connection(void **state)
{
    static const struct {
        const char *value;
        int64_t seconds;
    } cases[] = {
        {"timeout=5", 5}, {"max=100, Timeout=7", 7}, {"timeout=x", -1}, {"timeout=", -1}, {"5", -1},
    };
    static struct reader reader;
    char head[128];

    (void)state;
    grc_buf_init(&reader.in, BODY_MAX + 2 * GRC_HTTP1_HEAD_MAX);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int len =
            snprintf(head, sizeof(head), OK "Keep-Alive: %s\r\n" LENGTH(0) "\r\n", cases[i].value);
        begin(&reader, false);
        assert_int_equal(feed(&reader, head, (size_t)len), GRC_HTTP1_WHOLE);
        assert_int_equal(reader.answer.kept_max_s, cases[i].seconds);
    }
    begin(&reader, false);
    assert_int_equal(feed(&reader, OK LENGTH(0) "\r\n", sizeof(OK LENGTH(0) "\r\n") - 1),
                     GRC_HTTP1_WHOLE);
    assert_int_equal(reader.answer.kept_max_s, -1);
    grc_buf_done(&reader.in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_read_the_same_in_any_pieces),
        cmocka_unit_test(heads_are_bounded_together),
        cmocka_unit_test(chunks_may_be_many),
        cmocka_unit_test(a_body_may_be_as_large_as_its_limit),
        cmocka_unit_test(a_server_says_how_long_it_keeps_a_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
