/* Answers of upstreams, and how they are read. Each answer arrives in one piece, byte by byte, and
 * in two pieces for every place of the cut. */
#include "unit/http1_examples.h"
#include "upstream/http1_answer.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIELDS_MAX 512u

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define LENGTH(n) "Content-Length: " #n "\r\n"

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
    reader->answer.body_max = HTTP1_BODY_MAX;
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
static enum grc_http1_end feed_all(struct reader *reader, const struct http1_example *example,
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

static void check(struct reader *reader, const struct http1_example *example, size_t first,
                  size_t then)
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
    /* Bytes after the end are noticed only when they arrived together with the end. */
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
    grc_buf_init(&reader.in, HTTP1_BODY_MAX + 2 * GRC_HTTP1_HEAD_MAX);
    for (size_t i = 0; i < http1_example_count; i++) {
        const struct http1_example *example = &http1_examples[i];
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
    grc_buf_init(&reader.in, HTTP1_BODY_MAX + 2 * GRC_HTTP1_HEAD_MAX);
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

    /* A line that does not end. */
    begin(&reader, false);
    end = feed(&reader, OK "X: ", sizeof(OK "X: ") - 1);
    for (fed = 0; end == GRC_HTTP1_MORE && fed < 2 * GRC_HTTP1_HEAD_MAX; fed++)
        end = feed(&reader, "y", 1);
    assert_int_equal(end, GRC_HTTP1_BROKEN);
    assert_string_equal(reader.answer.reason, "the head is too large");
    grc_buf_done(&reader.in);
}

/* The sizes of chunks use neither memory nor the space of the head, but their extensions do. */
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
    static char body[HTTP1_BODY_MAX + 1];

    (void)state;
    memset(body, 'x', sizeof(body));
    grc_buf_init(&reader.in, HTTP1_BODY_MAX + 2 * GRC_HTTP1_HEAD_MAX);
    begin(&reader, false);
    assert_int_equal(feed(&reader, OK LENGTH(1000) "\r\n", sizeof(OK LENGTH(1000) "\r\n") - 1),
                     GRC_HTTP1_MORE);
    assert_int_equal(grc_http1_answer_awaits(&reader.answer), HTTP1_BODY_MAX);
    assert_int_equal(feed(&reader, body, HTTP1_BODY_MAX), GRC_HTTP1_WHOLE);

    begin(&reader, false);
    assert_int_equal(feed(&reader, OK "\r\n", sizeof(OK "\r\n") - 1), GRC_HTTP1_MORE);
    assert_int_equal(feed(&reader, body, HTTP1_BODY_MAX), GRC_HTTP1_MORE);
    assert_int_equal(grc_http1_answer_awaits(&reader.answer), 0);
    assert_int_equal(feed(&reader, body, 1), GRC_HTTP1_BROKEN);
    assert_string_equal(reader.answer.reason, "the body is too large");
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
    grc_buf_init(&reader.in, HTTP1_BODY_MAX + 2 * GRC_HTTP1_HEAD_MAX);
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
