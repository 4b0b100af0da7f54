/* Heads of requests: which are accepted, and that CivetWeb reads an accepted one in the same
 * way. */
#include "http/framing.h"
#include "http/http.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define H "Host: a\r\n"

static const struct grc_framing_limits limits = {.uri_max = 100, .headers_max = 2000};

/* --- as CivetWeb 1.15 and 1.16 read a head --- */

/* Ends the word at *at, and moves *at behind all white space that follows. */
static char *end_word(char *at)
{
    while (isgraph((unsigned char)*at))
        at++;
    do
        *at++ = '\0';
    while (isspace((unsigned char)*at));
    return at;
}

/* CivetWeb finds the same request line in what it is given, and no header that it could act on. */
static void compare(const char *bytes, size_t len, const struct grc_request *request)
{
    char *copy = malloc(len);
    const size_t copied = grc_framing_copy(copy, bytes, len);

    assert_in_range(copied, 1, len);
    assert_memory_equal(copy + copied - 4, "\r\n\r\n", 4);
    for (size_t i = 0; i < copied - 4; i++)
        assert_true((unsigned char)copy[i] < 128 && isprint((unsigned char)copy[i]));
    copy[copied - 1] = '\0';
    char *target = end_word(copy);
    char *version = end_word(target);
    assert_true(gr_str_eq(request->method_text, gr_str_of(copy)));
    assert_int_equal(strlen(target),
                     request->path.len + (request->query.ptr ? 1 : 0) + request->query.len);
    assert_memory_equal(target, request->path.ptr, request->path.len);
    assert_memory_equal(version, "HTTP/1.1\r\n\r", sizeof("HTTP/1.1\r\n\r"));
    free(copy);
}

/* --- reading a head --- */

struct parsed {
    char *buffer; /* exactly as large as the input, so that a sanitizer sees every overrun */
    struct grc_request request;
};

static enum gr_err parse(struct parsed *parsed, const char *wire)
{
    size_t size = strlen(wire);
    size_t scanned = 0;
    size_t skipped = 0;
    long len = 0;

    memset(parsed, 0, sizeof(*parsed));
    parsed->buffer = malloc(size);
    memcpy(parsed->buffer, wire, size);
    for (size_t there = 0; there <= size && len == 0; there++) /* byte by byte */
        len = grc_framing_scan(parsed->buffer, there, &scanned);
    assert_true(len != 0);
    scanned = 0;
    assert_int_equal(len, grc_framing_scan(parsed->buffer, size, &scanned));
    if (len < 0)
        return grc_framing_refuse(parsed->buffer, size, &parsed->request, GR_ERR_BAD_REQUEST,
                                  "bad byte");
    enum gr_err err =
        grc_framing_read(parsed->buffer, (size_t)len, &limits, &parsed->request, &skipped);
    if (err == GR_OK)
        compare(parsed->buffer + skipped, (size_t)len - skipped, &parsed->request);
    return err;
}

static enum gr_err judge(const char *wire, struct grc_request *ret_request)
{
    struct parsed parsed;
    enum gr_err err = parse(&parsed, wire);

    assert_int_equal(err, parsed.request.broken);
    assert_int_equal(err != GR_OK, parsed.request.broken_reason != NULL);
    if (ret_request)
        *ret_request = parsed.request; /* its slices are invalid then, its numbers are kept */
    free(parsed.buffer);
    return err;
}

static void test_heads_that_pass(void **state)
{
    static const char *const heads[] = {
        "GET / HTTP/1.1\r\n" H "\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\n" H "\r\n",
        "GET HTTPS://A HTTP/1.1\r\n" H "\r\n",
        "OPTIONS http://a?b HTTP/1.1\r\n" H "\r\n",
        "GET http://b:80/c?d HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "X:\ta\tb\t\r\n\r\n",
        "GET /a?b=c&d HTTP/1.1\r\n" H "\r\n",
        "GET /a? HTTP/1.1\r\n" H "\r\n",
        "GET / HTTP/1.1\r\n" H "X:\r\nY: \r\nZ:v  \r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "Content-Length: 007\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "transfer-encoding: CHUNKED\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        if (judge(heads[i], NULL) != GR_OK)
            fail_msg("refused: %s", heads[i]);
    }
}

static void test_heads_that_are_refused(void **state)
{
    static const char *const heads[] = {
        /* the line */
        "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n",
        "\nGET / HTTP/1.1\r\n" H "\r\n",
        "\r\nGET / HTTP/1.1\r\n" H "\r\n",
        "BREW / HTTP/1.1\r\n" H "\r\n",
        "get / HTTP/1.1\r\n" H "\r\n",
        "GET / HTTP/1.1 \r\n" H "\r\n",
        "GET /\x80 HTTP/1.1\r\n" H "\r\n",
        "GET /\x01 HTTP/1.1\r\n" H "\r\n",
        "GET  / HTTP/1.1\r\n" H "\r\n",
        "GET /  HTTP/1.1\r\n" H "\r\n",
        "GET http://b/ HTTP/1.1\r\n" H "\r\n",
        "GET http:///x HTTP/1.1\r\n" H "\r\n",
        "GET http://u@a/ HTTP/1.0\r\n\r\n",
        "GET http://a#b HTTP/1.0\r\n\r\n",
        "GET ftp://a/ HTTP/1.1\r\n" H "\r\n",
        "GET a/b HTTP/1.1\r\n" H "\r\n",
        "GET * HTTP/1.1\r\n" H "\r\n",
        "GET / HTTP/1.1\n" H "\r\n",
        "GET / HTTP/2.0\r\n" H "\r\n",
        /* line ends */
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\nrest of a body",
        /* lines */
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "X  : a\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\nContent-Length: 3\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n",
        "GET / HTTP/1.1\r\n  Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\n" H ": a\r\nContent-Length: 3\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "X(y): a\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "X\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "X\t: a\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "X: a\v\nY: b\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "X: a\f\r\n\r\n",
        "GET / HTTP/1.0\r\n: x\r\n\r\n",
        /* hosts */
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n" H H "\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        /* bodies */
        "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\ncontent-length: 3\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "Content-Length: 0abc\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "Content-Length: +0\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n",
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\n" H "Authorization: a\r\nauthorization: b\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        if (judge(heads[i], NULL) != GR_ERR_BAD_REQUEST)
            fail_msg("let through: %s", heads[i]);
    }
}

static void test_the_header_after_the_64th_is_seen(void **state)
{
    char wire[2048];

    (void)state;
    for (int more = 63; more <= 64; more++) {
        size_t len = (size_t)snprintf(wire, sizeof(wire), "GET / HTTP/1.1\r\n" H);

        for (int i = 0; i < more; i++)
            len += (size_t)snprintf(wire + len, sizeof(wire) - len, "X-%d: v\r\n", i);
        snprintf(wire + len, sizeof(wire) - len, "\r\n");
        assert_int_equal(judge(wire, NULL), more == 63 ? GR_OK : GR_ERR_HEADERS);
    }
}

static void test_long_targets_and_huge_lengths_have_errors_of_their_own(void **state)
{
    char wire[256];

    (void)state;
    snprintf(wire, sizeof(wire), "GET /%099d HTTP/1.1\r\n" H "\r\n", 0);
    assert_int_equal(judge(wire, NULL), GR_OK);
    snprintf(wire, sizeof(wire), "GET /%0100d HTTP/1.1\r\n" H "\r\n", 0);
    assert_int_equal(judge(wire, NULL), GR_ERR_URI);
    assert_int_equal(
        judge("POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n", NULL),
        GR_ERR_TOO_LARGE);
}

static void test_what_a_head_says_is_taken_over(void **state)
{
    struct grc_request request;

    (void)state;
    assert_int_equal(judge("POST / HTTP/1.1\r\n" H "Content-Length: 12\r\n"
                           "Expect: 100-Continue\r\n\r\n",
                           &request),
                     GR_OK);
    assert_int_equal(request.method, GR_METHOD_POST);
    assert_int_equal(request.content_length, 12);
    assert_true(request.expect_continue);
    assert_int_equal(judge("HEAD / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", &request), GR_OK);
    assert_int_equal(request.method, GR_METHOD_GET);
    assert_true(request.head && request.http_1_0 && !request.expect_continue);
    assert_int_equal(
        judge("OPTIONS / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", &request), GR_OK);
    assert_int_equal(request.content_length, -1);
    assert_true(request.options && request.method == 0);
}

/* Headers may have exactly the bytes that the setting names, line ends included. */
static void test_the_limit_of_headers_is_what_it_says(void **state)
{
    char wire[2400];

    (void)state;
    for (int more = 0; more <= 1; more++) {
        snprintf(wire, sizeof(wire), "GET / HTTP/1.1\r\n" H "X: %0*d\r\n\r\n",
                 (int)(limits.headers_max - strlen(H) - strlen("X: \r\n")) + more, 0);
        assert_int_equal(judge(wire, NULL), more ? GR_ERR_HEADERS : GR_OK);
    }
}

static void test_what_is_known_of_a_refused_head(void **state)
{
    static const char cut[] = "GET /rooms/1?a=b HTTP/1.1\r\nHost: a\nX";
    struct grc_request request = {.broken = GR_OK};

    (void)state;
    assert_int_equal(grc_framing_refuse(cut, strlen(cut), &request, GR_ERR_HEADERS, "too large"),
                     GR_ERR_HEADERS);
    assert_string_equal(request.broken_reason, "too large");
    assert_true(gr_str_eq(request.path, GR_STR("/rooms/1")));
    assert_true(gr_str_eq(request.query, GR_STR("a=b")));
    memset(&request, 0, sizeof(request));
    grc_framing_refuse(cut, 12, &request, GR_ERR_HEADERS, "too large");
    assert_null(request.path.ptr); /* there may be more of it */
}

static void test_an_absolute_target_becomes_its_path(void **state)
{
    static const char *const rows[][4] = {
        {"GET http://a/b/c?d=e HTTP/1.1\r\nHost: a\r\n\r\n", "GET /b/c?d=e HTTP/1.1", "/b/c",
         "d=e"},
        {"HEAD http://a:1?d HTTP/1.1\r\nHost: a:1\r\n\r\n", "HEAD /?d HTTP/1.1", "/", "d"},
        {"OPTIONS https://a HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS / HTTP/1.1", "/", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char wire[100];
        struct grc_request request = {.broken = GR_OK};
        size_t skipped = 0;

        snprintf(wire, sizeof(wire), "%s", rows[i][0]);
        assert_int_equal(grc_framing_read(wire, strlen(wire), &limits, &request, &skipped), GR_OK);
        assert_memory_equal(wire + skipped, rows[i][1], strlen(rows[i][1]));
        assert_true(gr_str_eq(request.path, gr_str_of(rows[i][2])));
        assert_true(gr_str_eq(request.query, gr_str_of(rows[i][3])));
        grc_framing_terminate(wire, &request);
        assert_string_equal(request.path.ptr, rows[i][2]);
        assert_string_equal(request.headers[0].name.ptr, "Host");
        assert_int_equal(request.headers[0].value.ptr[request.headers[0].value.len], '\0');
    }
}

static void test_connection_headers(void **state)
{
    static const struct {
        const char *wire;
        bool stays;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: keep-alive, close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: x, keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.1\r\n" H "Connection: x\r\n\r\n", true},
        {"GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed parsed;

        (void)parse(&parsed, rows[i].wire);
        assert_int_equal(grc_framing_keep_alive(&parsed.request), rows[i].stays);
        free(parsed.buffer);
    }
}

static void test_versions_that_were_checked(void **state)
{
    (void)state;
    assert_null(grc_http_unchecked("1.15"));
    assert_null(grc_http_unchecked("1.16"));
    assert_non_null(grc_http_unchecked("1.14"));
    assert_non_null(grc_http_unchecked("1.1"));
    assert_non_null(grc_http_unchecked("1.160"));
    /* The linked version of CivetWeb is the tested one. */
    assert_null(grc_http_unchecked(grc_http_library()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_that_were_checked),
        cmocka_unit_test(test_heads_that_pass),
        cmocka_unit_test(test_heads_that_are_refused),
        cmocka_unit_test(test_the_header_after_the_64th_is_seen),
        cmocka_unit_test(test_long_targets_and_huge_lengths_have_errors_of_their_own),
        cmocka_unit_test(test_what_a_head_says_is_taken_over),
        cmocka_unit_test(test_the_limit_of_headers_is_what_it_says),
        cmocka_unit_test(test_what_is_known_of_a_refused_head),
        cmocka_unit_test(test_an_absolute_target_becomes_its_path),
        cmocka_unit_test(test_connection_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
