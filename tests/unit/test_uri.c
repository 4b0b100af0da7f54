/* base/uri.h, base/utf8.h, base/rfc3339.h */
#include "base/rfc3339.h"
#include "base/uri.h"
#include "base/utf8.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct grc_arena arena;

static int setup(void **state)
{
    (void)state;
    grc_arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    grc_arena_done(&arena);
    return 0;
}

static void assert_text(gr_str found, const char *wanted)
{
    assert_int_equal(found.len, strlen(wanted));
    assert_memory_equal(found.ptr, wanted, found.len);
}

static void decode_resolves_escapes(void **state)
{
    static const struct {
        const char *in;
        bool plus;
        const char *out;
    } cases[] = {
        {"", false, ""},
        {"plain", false, "plain"},
        {"a%20b", false, "a b"},
        {"%41%6a%6A", false, "Ajj"},
        {"a+b", false, "a+b"},
        {"a+b%2B", true, "a b+"},
        {"%2Fa%2f", false, "/a/"},
        {"%25", false, "%"},
        {"%2525", false, "%25"},
        {"%C3%A4\xc3\xa4", false, "\xc3\xa4\xc3\xa4"},
        {"%F0%9F%8E%A5", false, "\xf0\x9f\x8e\xa5"},
    };
    char out[64];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(grc_uri_decode(gr_str_of(cases[i].in), cases[i].plus, out, &len));
        assert_text((gr_str){out, len}, cases[i].out);
    }
}

static void decode_refuses_what_is_not_text(void **state)
{
    static const char *const cases[] = {
        "%",    "%4",           "a%",        "%zz",    "%4g",
        "%g4",  "%%41",         "%-1",       "%00",    "%0a",
        "%1F",  "%7f",          "\x01",      "\x7f",   "a\nb",
        "%80",  "%C3",          "%C3%41",    "%c0%af", "%ED%A0%80",
        "\xff", "%F5%80%80%80", "%E0%80%80", "% 1",    "%F4%90%80%80",
    };
    char out[64];
    size_t len = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (grc_uri_decode(gr_str_of(cases[i]), true, out, &len))
            fail_msg("'%s' was decoded", cases[i]);
    }
    assert_int_equal(len, 77);
    /* a NUL inside of the slice */
    assert_false(grc_uri_decode((gr_str){"a\0b", 3}, false, out, &len));
}

static void decode_reads_no_further_than_its_slice(void **state)
{
    char out[8];
    size_t len;

    (void)state;
    assert_false(grc_uri_decode((gr_str){"%41", 2}, false, out, &len));
    assert_true(grc_uri_decode((gr_str){"a%41", 1}, false, out, &len));
    assert_int_equal(len, 1);
}

static void encode_leaves_only_unreserved(void **state)
{
    struct grc_buf buf;

    (void)state;
    grc_buf_init(&buf, 1000);
    assert_int_equal(grc_uri_encode(&buf, GR_STR("AZaz09-._~")), GR_OK);
    assert_int_equal(grc_uri_encode(&buf, GR_STR("/?#%&=+ ;:@!$'()*,\"<>\\^`{|}")), GR_OK);
    assert_int_equal(grc_uri_encode(&buf, GR_STR("\r\n\xc3\xa4")), GR_OK);
    assert_int_equal(grc_uri_encode(&buf, (gr_str){NULL, 0}), GR_OK);
    assert_string_equal(buf.ptr, "AZaz09-._~%2F%3F%23%25%26%3D%2B%20%3B%3A%40%21%24%27%28%29%2A%2C"
                                 "%22%3C%3E%5C%5E%60%7B%7C%7D%0D%0A%C3%A4");
    grc_buf_done(&buf);
    grc_buf_init(&buf, 3);
    assert_int_equal(grc_uri_encode(&buf, GR_STR("a/b")), GR_ERR_TOO_LARGE);
    grc_buf_done(&buf);
}

static void encode_and_decode_are_inverse(void **state)
{
    struct grc_buf buf;
    char out[8];
    size_t len;

    (void)state;
    grc_buf_init(&buf, 100);
    for (int c = 0x20; c < 0x7f; c++) {
        const char text[2] = {(char)c, 'x'};
        grc_buf_clear(&buf);
        assert_int_equal(grc_uri_encode(&buf, (gr_str){text, 2}), GR_OK);
        assert_true(grc_uri_decode(grc_buf_view(&buf), true, out, &len));
        assert_int_equal(len, 2);
        assert_memory_equal(out, text, 2);
    }
    grc_buf_done(&buf);
}

static void segments_that_walk_are_unsafe(void **state)
{
    static const char *const safe[] = {"a",   "...", "a.", ".a",   "..a",
                                       "a/b", "\\",  " ",  "a..b", "%2e"};
    static const char *const unsafe[] = {"",      ".",     "..",      "../a", "a/..", "a/./b",
                                         "..\\a", "a\\..", "a\\../b", "/..",  "../"};

    (void)state;
    for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]); i++)
        assert_true(grc_segment_safe(gr_str_of(safe[i])));
    for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++)
        assert_false(grc_segment_safe(gr_str_of(unsafe[i])));
}

static void query_is_split_and_decoded(void **state)
{
    struct gr_pair *pairs = NULL;
    size_t count = 99;

    (void)state;
    assert_int_equal(grc_query_parse(&arena, GR_STR("a=1&b=x%20y+z&&c&d=&a=2&=e&f=g=h&%26=%3D&"),
                                     100, &pairs, &count),
                     GR_OK);
    static const char *const wanted[][2] = {{"a", "1"}, {"b", "x y z"}, {"c", ""},    {"d", ""},
                                            {"a", "2"}, {"", "e"},      {"f", "g=h"}, {"&", "="}};
    assert_int_equal(count, 8);
    for (size_t i = 0; i < count; i++) {
        assert_text(pairs[i].name, wanted[i][0]);
        assert_text(pairs[i].value, wanted[i][1]);
        assert_int_equal(pairs[i].value.ptr[pairs[i].value.len], 0);
    }
    assert_null(pairs[count].name.ptr);
    assert_non_null(pairs[5].name.ptr);
}

static void query_may_be_empty(void **state)
{
    static const char *const cases[] = {"", "&", "&&&"};
    struct gr_pair *pairs = NULL;
    size_t count = 99;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(grc_query_parse(&arena, gr_str_of(cases[i]), 1, &pairs, &count), GR_OK);
        assert_int_equal(count, 0);
        assert_non_null(pairs);
        assert_null(pairs[0].name.ptr);
    }
    assert_int_equal(grc_query_parse(&arena, (gr_str){NULL, 0}, 1, &pairs, &count), GR_OK);
}

static void query_is_refused(void **state)
{
    struct gr_pair *pairs = NULL;
    size_t count = 99;

    (void)state;
    assert_int_equal(grc_query_parse(&arena, GR_STR("a=%zz"), 9, &pairs, &count),
                     GR_ERR_BAD_REQUEST);
    assert_int_equal(grc_query_parse(&arena, GR_STR("%0a=1"), 9, &pairs, &count),
                     GR_ERR_BAD_REQUEST);
    assert_int_equal(grc_query_parse(&arena, GR_STR("a=%ff"), 9, &pairs, &count),
                     GR_ERR_BAD_REQUEST);
    assert_int_equal(grc_query_parse(&arena, GR_STR("a=1&b=2"), 1, &pairs, &count), GR_ERR_INVALID);
    assert_int_equal(grc_query_parse(&arena, GR_STR("&a=1&&"), 1, &pairs, &count), GR_OK);
    struct grc_arena small;
    grc_arena_init(&small, 64);
    assert_int_equal(grc_query_parse(&small, GR_STR("a=1&b=2&c=3"), 9, &pairs, &count),
                     GR_ERR_NO_MEMORY);
    grc_arena_done(&small);
}

static void utf8_knows_its_forms(void **state)
{
    static const char *const broken[] = {"\x80",
                                         "\xc0\x80",
                                         "\xc1\xbf",
                                         "\xe0\x9f\xbf",
                                         "\xed\xa0\x80",
                                         "\xef\xbf",
                                         "\xf0\x8f\xbf\xbf",
                                         "\xf4\x90\x80\x80",
                                         "\xf5\x80\x80\x80",
                                         "\xfe",
                                         "a\xc3",
                                         "\xc3(",
                                         "\xe2\x82(",
                                         "\xf0\x9f\x8e("};

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_false(grc_utf8_valid(gr_str_of(broken[i])));
    gr_str good = GR_STR("a\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80"
                         "\xf4\x8f\xbf\xbf");
    assert_true(grc_utf8_valid(good));
    assert_int_equal(grc_utf8_count(good), 8);
    assert_int_equal(grc_utf8_count((gr_str){NULL, 0}), 0);
    assert_int_equal(grc_utf8_step("\xf0\x9f\x8e\xa5", 3), 0);
}

/* Every byte at every place, in texts around the length of one step and of two. */
static void the_first_byte_that_is_not_plain_is_found(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 20; len++) {
        char *text = malloc(len + 1); /* a sanitizer sees what is read behind it */

        assert_non_null(text);
        memset(text, 'x', len);
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

                text[at] = (char)c;
                for (size_t from = 0; from <= len; from++)
                    assert_int_equal(grc_utf8_plain((gr_str){text, len}, from),
                                     plain || at < from ? len : at);
            }
            text[at] = 'x';
        }
        free(text);
    }
    assert_int_equal(grc_utf8_plain((gr_str){NULL, 0}, 0), 0);
}

static void utf8_is_written_as_it_is_read(void **state)
{
    static const struct {
        uint32_t code;
        const char *text;
    } cases[] = {
        {0x1, "\x01"},
        {0x7f, "\x7f"},
        {0x80, "\xc2\x80"},
        {0x7ff, "\xdf\xbf"},
        {0x800, "\xe0\xa0\x80"},
        {0xffff, "\xef\xbf\xbf"},
        {0x10000, "\xf0\x90\x80\x80"},
        {0x10ffff, "\xf4\x8f\xbf\xbf"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char bytes[5] = {0};
        size_t len = grc_utf8_put(cases[i].code, bytes);

        assert_string_equal(bytes, cases[i].text);
        assert_int_equal(grc_utf8_step(bytes, len), len);
    }
}

static void a_place_counts_lines_and_characters(void **state)
{
    unsigned line = 0;
    unsigned column = 0;

    (void)state;
    grc_utf8_place(gr_str_of("ab\ncd"), 0, &line, &column);
    assert_int_equal(line, 1);
    assert_int_equal(column, 1);
    grc_utf8_place(gr_str_of("ab\ncd"), 4, &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 2);
    grc_utf8_place(gr_str_of("\"\xc3\xa9\" x"), 5, &line, &column); /* an é is one character */
    assert_int_equal(column, 5);
}

static void timestamps_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T23:59:59.999Z", -1},
        {"2026-11-22T10:11:12Z", 1795342272000},
        {"2026-11-22t10:11:12.3456789z", 1795342272345},
        {"2026-11-22T10:11:12.5-05:30", 1795362072500},
        {"2000-02-29T00:00:00Z", 951782400000},
        {"2024-02-29T12:00:00.000000001Z", 1709208000000},
        {"0001-01-01T00:00:00Z", -62135596800000},
        {"0000-03-01T00:00:00Z", -62162035200000},
        {"9999-12-31T23:59:59Z", 253402300799000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = 1;
        if (!grc_rfc3339_parse(gr_str_of(cases[i].text), &ms) || ms != cases[i].ms)
            fail_msg("'%s' is %lld, wanted %lld", cases[i].text, (long long)ms,
                     (long long)cases[i].ms);
    }
}

static void other_texts_are_no_timestamps(void **state)
{
    static const char *const cases[] = {
        "",
        "2026-11-22",
        "2026-11-22T10:11:12",
        "2026-11-22 10:11:12Z",
        "2026-11-22T10:11Z",
        "2026-11-22T10:11:12.Z",
        "2026-11-22T10:11:12.1234567890Z",
        "2026-11-22T10:11:12,5Z",
        "2026-11-22T10:11:12+0100",
        "2026-11-22T10:11:12+01",
        "2026-11-22T10:11:12+24:00",
        "2026-11-22T10:11:12+01:60",
        "2026-11-22T10:11:12 01:00",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:60:12Z",
        "2026-11-22T10:11:60Z",
        "2026-11-22T10:11:12Zx",
        " 2026-11-22T10:11:12Z",
        "+026-11-22T10:11:12Z",
        "2026-1-022T10:11:12Z",
        "20261122T101112Z",
        "2026-11-22T10:11:12.5",
        "2026-11-22T-1:11:12Z",
    };
    int64_t ms = 5;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (grc_rfc3339_parse(gr_str_of(cases[i]), &ms))
            fail_msg("'%s' was accepted", cases[i]);
    }
    assert_int_equal(ms, 5);
    assert_true(grc_rfc3339_parse(GR_STR("2026-11-22T10:11:12Z"), NULL));
}

static void a_segment_keeps_its_own_characters(void **state)
{
    struct grc_buf buf;

    (void)state;
    grc_buf_init(&buf, 256);
    assert_int_equal(grc_segment_encode(&buf, GR_STR("aZ9-._~:@!$&'()*+,;=/?#[]% \xc3\xa4")),
                     GR_OK);
    assert_text(grc_buf_view(&buf), "aZ9-._~:@!$&'()*+,;=%2F%3F%23%5B%5D%25%20%C3%A4");
    grc_buf_done(&buf);
}

static void a_url_is_split_into_origin_and_path(void **state)
{
    static const struct {
        const char *url;
        const char *origin; /* NULL: refused */
        const char *path;
    } cases[] = {
        {"http://a", "http://a", "/"},
        {"HTTPS://a.example:8443/x/y", "HTTPS://a.example:8443", "/x/y"},
        {"http://[::1]:80/", "http://[::1]:80", "/"},
        {"http:///x", NULL, NULL},
        {"http://", NULL, NULL},
        {"ftp://a/", NULL, NULL},
        {"a/b", NULL, NULL},
        {"http://u:p@a/", NULL, NULL},
        {"http://a/?q=1", NULL, NULL},
        {"http://a/#f", NULL, NULL},
        {"http://a/{x}", NULL, NULL},
        {"http://a/ b", NULL, NULL},
        {"http://a/\xc3\xa4", NULL, NULL},
        {"http://a\\b/", NULL, NULL},
        {"http://a/b@c", "http://a", "/b@c"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gr_str origin = {NULL, 0};
        const char *path = NULL;
        bool split = grc_url_split(cases[i].url, &origin, &path);

        if (split != (cases[i].origin != NULL))
            fail_msg("'%s' was %s", cases[i].url, split ? "split" : "refused");
        if (split) {
            assert_text(origin, cases[i].origin);
            assert_string_equal(path, cases[i].path);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_keeps_its_own_characters),
        cmocka_unit_test(a_url_is_split_into_origin_and_path),
        cmocka_unit_test(decode_resolves_escapes),
        cmocka_unit_test(decode_refuses_what_is_not_text),
        cmocka_unit_test(decode_reads_no_further_than_its_slice),
        cmocka_unit_test(encode_leaves_only_unreserved),
        cmocka_unit_test(encode_and_decode_are_inverse),
        cmocka_unit_test(segments_that_walk_are_unsafe),
        cmocka_unit_test_setup_teardown(query_is_split_and_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(query_may_be_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(query_is_refused, setup, teardown),
        cmocka_unit_test(utf8_knows_its_forms),
        cmocka_unit_test(the_first_byte_that_is_not_plain_is_found),
        cmocka_unit_test(utf8_is_written_as_it_is_read),
        cmocka_unit_test(a_place_counts_lines_and_characters),
        cmocka_unit_test(timestamps_are_read),
        cmocka_unit_test(other_texts_are_no_timestamps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
