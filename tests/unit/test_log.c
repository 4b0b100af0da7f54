/* base/log.h, with the parts of base/buf.h and base/clock.h that its lines use */
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* One line; from_word is where the part that is wanted begins, after the time. */
static const char *line_from(const char *from_word, const struct grc_log_field *fields)
{
    static char line[4096];
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    grc_log_fd_set(ends[1]);
    grc_log_fields(GR_LOG_INFO, "message", fields);
    grc_log_fd_set(STDERR_FILENO);
    ssize_t len = read(ends[0], line, sizeof(line) - 1);
    close(ends[0]);
    close(ends[1]);
    assert_true(len > 0);
    line[len] = '\0';
    const char *behind = strstr(line, from_word);
    assert_non_null(behind);
    return behind;
}

static const char *line_of(const struct grc_log_field *fields)
{
    return line_from("\"level\"", fields);
}

static void secrets_are_masked(void **state)
{
    static const char *const secret[] = {"authorization",
                                         "Authorization",
                                         "proxy_authorization",
                                         "secret",
                                         "app_secret",
                                         "Client-Secret",
                                         "password",
                                         "old_password_hash",
                                         "passwd",
                                         "credential",
                                         "credentials",
                                         "stream_key",
                                         "cookie",
                                         "set-cookie",
                                         "rtmp_url",
                                         "my_rtmp_urls",
                                         "token",
                                         "TOKEN",
                                         "key",
                                         "Key",
                                         "access_token",
                                         "ssecret",
                                         "cccookie",
                                         "ppassword"};
    static const char *const open[] = {"request_id", "tokens", "token_id",  "keys",    "key_id",
                                       "my_token",   "a",      "secre",     "passwor", "cooki",
                                       "",           "monkey", "stream",    "rtmp",    "creds",
                                       "peer",       "route",  "caller_id", "pass",    "s"};

    (void)state;
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
        assert_non_null(strstr(line_of(GRC_LOG_FIELDS(GRC_LT(secret[i], "value"))), "\"***\""));
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        assert_non_null(strstr(line_of(GRC_LOG_FIELDS(GRC_LT(open[i], "value"))), "\"value\""));
}

static void a_line_is_one_object(void **state)
{
    (void)state;
    assert_string_equal(
        line_of(GRC_LOG_FIELDS(GRC_LT("a", "x\n\"\\\x01\x7f"), GRC_LI("b", -12), GRC_LD("c", 1.25),
                               GRC_LD("d", 0))),
        "\"level\":\"info\",\"message\":\"message\","
        "\"a\":\"x\\n\\\"\\\\\\u0001\\u007f\",\"b\":-12,\"c\":1.250,\"d\":0.000}\n");
}

static void numbers_are_written_as_formats_would(void **state)
{
    static const int64_t integers[] = {0,  1,   -1,        9,         10,        -10,      99,
                                       10, 100, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    static const double reals[] = {0.0,  0.001, 0.0004, 0.0006, 0.999, 0.9996, 1.0,
                                   12.5, 1e6,   1e11,   1e12,   1e15,  -0.25,  -12.3456};
    struct grc_buf buf;
    char wanted[64];

    (void)state;
    grc_buf_init(&buf, 64);
    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        grc_buf_clear(&buf);
        snprintf(wanted, sizeof(wanted), "%lld", (long long)integers[i]);
        assert_int_equal(grc_buf_int(&buf, integers[i]), GR_OK);
        assert_string_equal(buf.ptr, wanted);
    }
    grc_buf_done(&buf);
    for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++) {
        snprintf(wanted, sizeof(wanted), ",\"real\":%.3f}\n", reals[i]);
        assert_non_null(strstr(line_of(GRC_LOG_FIELDS(GRC_LD("real", reals[i]))), wanted));
    }
}

static void formats_keep_to_the_limit(void **state)
{
    struct grc_buf buf;

    (void)state;
    grc_buf_init(&buf, 300);
    assert_int_equal(grc_buf_format(&buf, "%s", "one"), GR_OK);
    assert_int_equal(grc_buf_format(&buf, "%d", 2), GR_OK);
    assert_string_equal(buf.ptr, "one2");
    assert_int_equal(grc_buf_format(&buf, "%290d", 3), GR_OK); /* has to grow */
    assert_int_equal(buf.len, 294);
    assert_int_equal(buf.ptr[293], '3');
    assert_int_equal(grc_buf_format(&buf, "%s", "seven.."),
                     GR_ERR_TOO_LARGE); /* it would fit into cap */
    assert_int_equal(buf.len, 294);
    assert_int_equal(strlen(buf.ptr), 294);
    assert_int_equal(grc_buf_format(&buf, "%s", "sixsix"), GR_OK);
    assert_int_equal(buf.len, 300);
    grc_buf_done(&buf);
}

static void strings_are_escaped(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"\"", "\"\\\"\""},
        {"a\tb\x1f", "\"a\\tb\\u001f\""},
        {"\xc3\xa9t\xc3\xa9", "\"\xc3\xa9t\xc3\xa9\""},
        {"\xff\xfe-", "\"\xef\xbf\xbd\xef\xbf\xbd-\""},
        {"-\xc3", "\"-\xef\xbf\xbd\""},
        {"\xf0\x9f\x98\x80\\", "\"\xf0\x9f\x98\x80\\\\\""},
    };
    struct grc_buf buf;
    char text[20] = "................";

    (void)state;
    grc_buf_init(&buf, 64);
    /* Every byte at every place of a run. */
    for (unsigned c = 1; c < 256; c++) {
        bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

        for (size_t at = 0; at < 16; at++) {
            text[at] = (char)c;
            grc_buf_clear(&buf);
            assert_int_equal(grc_buf_json_string(&buf, gr_str_of(text)), GR_OK);
            assert_int_equal(buf.len == 18 && memcmp(buf.ptr + 1, text, 16) == 0, plain);
            text[at] = '.';
        }
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        grc_buf_clear(&buf);
        assert_int_equal(grc_buf_json_string(&buf, gr_str_of(cases[i].in)), GR_OK);
        assert_string_equal(buf.ptr, cases[i].out);
    }
    grc_buf_done(&buf);
}

static void times_are_rfc_3339(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951782400123, "2000-02-29T00:00:00.123Z"},
        {1795311976319, "2026-11-22T01:46:16.319Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    char text[25];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        grc_time_format(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void a_line_for_people_leaves_out_what_is_empty(void **state)
{
    (void)state;
    grc_log_plain_set(true);
    assert_string_equal(line_from("info", GRC_LOG_FIELDS(GRC_LT("path", "/rooms"),
                                                         GRC_LT("error", ""), GRC_LI("status", 0))),
                        "info  message path=\"/rooms\" status=0\n");
    grc_log_plain_set(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_masked),
        cmocka_unit_test(a_line_is_one_object),
        cmocka_unit_test(a_line_for_people_leaves_out_what_is_empty),
        cmocka_unit_test(numbers_are_written_as_formats_would),
        cmocka_unit_test(formats_keep_to_the_limit),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(times_are_rfc_3339),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
