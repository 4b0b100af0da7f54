/* Heads as they come over the wire, split in place the way CivetWeb 1.15 does it, then judged. */
#include "http/framing.h"
#include "http/http.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define H "Host: a\r\n"

struct parsed {
    char *buffer; /* exactly as large as what was read, so that a sanitizer sees every overrun */
    size_t size;
    struct grc_request request;
    struct grc_framing framing;
};

/* The end of the head, as CivetWeb finds it: two LF in a row count as well. */
static size_t head_len(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (i + 1 < size && text[i] == '\n' && text[i + 1] == '\n')
            return i + 2;
        if (i + 3 < size && memcmp(text + i, "\r\n\r\n", 4) == 0)
            return i + 4;
    }
    return 0;
}

/* Ends the word at *at and steps over all white space behind it. */
static char *end_word(char *at)
{
    while (isgraph((unsigned char)*at))
        at++;
    do
        *at++ = '\0';
    while (isspace((unsigned char)*at));
    return at;
}

/* One header line; NULL at what CivetWeb takes for the end. */
static char *split_header(char *at, struct gr_pair *header)
{
    char *start = at;

    while (*at != ':' && *at >= 33 && *at <= 126)
        at++;
    if (at == start)
        return NULL;
    while (*at == ' ')
        *at++ = '\0';
    assert_int_equal(*at, ':'); /* CivetWeb refuses the rest itself */
    *at++ = '\0';
    while (*at == ' ' || *at == '\t')
        at++;
    header->name = gr_str_of(start);
    char *value = at;
    while (*at && *at != '\r' && *at != '\n')
        at++;
    if (*at == '\r')
        *at++ = '\0';
    if (*at)
        *at++ = '\0';
    header->value = gr_str_of(value);
    return at;
}

static void parse(struct parsed *parsed, const char *wire, size_t size)
{
    memset(parsed, 0, sizeof(*parsed));
    parsed->buffer = malloc(size);
    parsed->size = size;
    memcpy(parsed->buffer, wire, size);
    char *at = parsed->buffer;
    while (isspace((unsigned char)*at))
        at++;
    size_t len = head_len(at, size - (size_t)(at - parsed->buffer));
    assert_true(len > 0);
    at[len - 1] = '\0';

    struct grc_request *request = &parsed->request;
    char *target = end_word(at);
    char *version = end_word(target);
    char *next = end_word(version);
    char *mark = strchr(target, '?');
    if (mark)
        *mark++ = '\0';
    request->method_text = gr_str_of(at);
    request->path = gr_str_of(target);
    request->query = gr_str_of(mark);
    for (; next && request->header_count < GRC_HEADERS_MAX; request->header_count++) {
        next = split_header(next, &request->headers[request->header_count]);
        if (!next)
            break;
        if (*next == '\r' || *next == '\n' || *next == '\0')
            next = NULL;
    }
    parsed->framing = (struct grc_framing){.base = parsed->buffer,
                                           .limit = parsed->buffer + size,
                                           .version = version + 5,
                                           .uri_max = 100};
}

static enum gr_err judge(const char *wire, struct grc_request *ret_request)
{
    struct parsed parsed;

    parse(&parsed, wire, strlen(wire));
    enum gr_err err = grc_framing_check(&parsed.request, &parsed.framing);
    assert_int_equal(err, parsed.request.broken);
    assert_int_equal(err != GR_OK, parsed.request.broken_reason != NULL);
    if (ret_request)
        *ret_request = parsed.request; /* its slices are gone, its numbers are not */
    free(parsed.buffer);
    return err;
}

static void test_heads_that_pass(void **state)
{
    static const char *const heads[] = {
        "GET / HTTP/1.1\r\n" H "\r\n",
        "\r\nGET / HTTP/1.1\r\n" H "\r\n",
        "GET / HTTP/1.0\r\n\r\n",
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
        "GET  / HTTP/1.1\r\n" H "\r\n",
        "GET /  HTTP/1.1\r\n" H "\r\n",
        "GET http://a/ HTTP/1.1\r\n" H "\r\n",
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
    assert_int_equal(judge("BREW / HTTP/1.1\r\n" H "\r\n", &request), GR_OK);
    assert_true(!request.options && request.method == 0);
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
        {"GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed parsed;

        parse(&parsed, rows[i].wire, strlen(rows[i].wire));
        grc_framing_check(&parsed.request, &parsed.framing);
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
    /* The linked one: what the tests of this build say holds for it. */
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
        cmocka_unit_test(test_connection_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
