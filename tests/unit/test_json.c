/* base/json.h, base/json_memory.h */
#include "base/json.h"
#include "base/json_memory.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <stdlib.h>
#include <cmocka.h>

#define DEPTH 64u

static void guard_counts_brackets(void **state)
{
    static const struct {
        const char *text;
        unsigned depth;
        enum grc_json_verdict verdict;
    } cases[] = {
        {"", 0, GRC_JSON_OK},
        {"1", 0, GRC_JSON_OK},
        {"[]", 0, GRC_JSON_TOO_DEEP},
        {"[]", 1, GRC_JSON_OK},
        {"[[]]", 1, GRC_JSON_TOO_DEEP},
        {"[[],[],{}]", 2, GRC_JSON_OK},
        {"{\"a\":{\"b\":[]}}", 3, GRC_JSON_OK},
        {"{\"a\":{\"b\":[]}}", 2, GRC_JSON_TOO_DEEP},
        {"[", 9, GRC_JSON_UNBALANCED},
        {"]", 9, GRC_JSON_UNBALANCED},
        {"[]]", 9, GRC_JSON_UNBALANCED},
        {"\"[[[[\"", 0, GRC_JSON_OK},
        {"\"\\\"[[[[\"", 0, GRC_JSON_OK},
        {"\"\\\\\"", 0, GRC_JSON_OK},
        {"\"\\\\\"[", 0, GRC_JSON_TOO_DEEP},
        {"\"\\\\\\\"[\"", 0, GRC_JSON_OK},
        {"\"", 9, GRC_JSON_UNBALANCED},
        {"\"abc", 9, GRC_JSON_UNBALANCED},
        {"\"abc\\", 9, GRC_JSON_UNBALANCED},
        {"\"abc\\\"", 9, GRC_JSON_UNBALANCED},
        {"[\"]\"", 9, GRC_JSON_UNBALANCED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (grc_json_guard(gr_str_of(cases[i].text), cases[i].depth) != cases[i].verdict)
            fail_msg("case %zu: '%s'", i, cases[i].text);
    }
    /* stays inside of its slice */
    assert_int_equal(grc_json_guard((gr_str){"[]]", 2}, 1), GRC_JSON_OK);
    assert_int_equal(grc_json_guard((gr_str){"\"a\\\"", 3}, 1), GRC_JSON_UNBALANCED);
    assert_int_equal(grc_json_guard((gr_str){NULL, 0}, 1), GRC_JSON_OK);
}

static void any_value_is_parsed(void **state)
{
    static const char *const cases[] = {
        "{}",
        "[]",
        "null",
        "true",
        "1",
        "-0",
        "1.5e3",
        "\"text\"",
        " [1, 2] \n",
        "\"\\u00e4\\ud83c\\udfa5\"",
        "9223372036854775807",
        "-9223372036854775808",
        "{\"a\":{\"a\":1}}",
        "\"\xc3\xa4\"",
        "1.7e308",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *reason = NULL;
        json_t *value = grc_json_parse(gr_str_of(cases[i]), DEPTH, &reason);
        if (!value)
            fail_msg("'%s' was refused: %s", cases[i], reason);
        json_decref(value);
    }
    json_t *part = grc_json_parse((gr_str){"12]", 2}, DEPTH, NULL);
    assert_int_equal(json_integer_value(part), 12);
    json_decref(part);
}

static void other_texts_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"", "the text ends too early"},
        {" ", "the text ends too early"},
        {"{\"a\":1,\"a\":2}", "an object has the same key twice"},
        {"{\"a\":1,\"\\u0061\":2}", "an object has the same key twice"},
        {"{} x", "something follows the value"},
        {"1 2", "something follows the value"},
        {"[] []", "something follows the value"},
        {"\"a\\u0000b\"", "NUL"},
        {"{\"a\\u0000b\":1}", "NUL"},
        {"9223372036854775808", "integer out of range"},
        {"-9223372036854775809", "integer out of range"},
        {"[1e999]", "number out of range"},
        {"[1,]", "syntax error at line 1"},
        {"{'a':1}", "syntax error"},
        {"[01]", "syntax error"},
        {"NaN", "syntax error"},
        {"[Infinity]", "syntax error"},
        {"[1}", "syntax error"},
        {"{\"a\"}", "syntax error"},
        {"// c\n1", "syntax error"},
        {"\"\xff\"", "text is not UTF-8"},
        {"\"\xed\xa0\x80\"", "text is not UTF-8"},
        {"\"\\ud800\"", "syntax error"},
        {"\"a\nb\"", "syntax error"},
        {"[", "brackets or quotes do not match"},
        {"\xef\xbb\xbf{}", "syntax error"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *reason = NULL;
        json_t *value = grc_json_parse(gr_str_of(cases[i].text), DEPTH, &reason);
        if (value || !reason || !strstr(reason, cases[i].reason))
            fail_msg("'%s': %s, wanted %s", cases[i].text, reason ? reason : "(parsed)",
                     cases[i].reason);
    }
    assert_null(grc_json_parse((gr_str){"[1\0]", 4}, DEPTH, NULL));
    assert_null(grc_json_parse((gr_str){NULL, 0}, DEPTH, NULL));
}

static void reasons_do_not_quote_the_input(void **state)
{
    const char *reason = NULL;

    (void)state;
    assert_null(grc_json_parse(GR_STR("{\"password\": hunter2}"), DEPTH, &reason));
    assert_null(strstr(reason, "hunter2"));
    assert_null(grc_json_parse(GR_STR("{\"hunter2\":1,\"hunter2\":1}"), DEPTH, &reason));
    assert_null(strstr(reason, "hunter2"));
}

/* count times the opening text, then the closing one. */
static gr_str nested(const char *open, const char *close, size_t count)
{
    size_t open_len = strlen(open);
    size_t close_len = strlen(close);
    size_t len = count * (open_len + close_len);
    char *text = malloc(len + 1);

    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * open_len, open, open_len);
        if (close_len)
            memcpy(text + count * open_len + i * close_len, close, close_len);
    }
    text[len] = '\0';
    return (gr_str){text, len};
}

/* Runs with as little stack as a worker has left. */
static void *parse_nested(void *arg)
{
    static const struct {
        const char *open;
        const char *close;
    } forms[] = {{"[", "]"}, {"{\"a\":", "}"}, {"[", ""}, {"[{\"a\":", ""}};
    size_t *accepted = arg;

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        gr_str text = nested(forms[i].open, forms[i].close, 100000);
        json_t *value = grc_json_parse(text, DEPTH, NULL);
        *accepted += value != NULL;
        json_decref(value);
        free((void *)(uintptr_t)text.ptr);
    }
    return NULL;
}

static void deep_nesting_is_refused_before_anything_recurses(void **state)
{
    pthread_attr_t attr;
    pthread_t thread;
    size_t accepted = 0;
    const char *reason = NULL;

    (void)state;
    assert_int_equal(pthread_attr_init(&attr), 0);
    assert_int_equal(pthread_attr_setstacksize(&attr, (size_t)64 * 1024), 0);
    assert_int_equal(pthread_create(&thread, &attr, parse_nested, &accepted), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attr);
    assert_int_equal(accepted, 0);

    gr_str text = nested("[", "]", DEPTH);
    json_t *value = grc_json_parse(text, DEPTH, NULL);
    assert_non_null(value);
    json_decref(value);
    assert_null(grc_json_parse(text, DEPTH - 1, &reason));
    assert_string_equal(reason, "nested too deeply");
    free((void *)(uintptr_t)text.ptr);
}

/* The other library's printer is the measure. */
static void values_are_written_as_jansson_does(void **state)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-9223372036854775808",
        "9223372036854775807",
        "1.5",
        "-0.1",
        "1e300",
        "\"\"",
        "\"a \\\"quoted\\\" \\\\ line\\nand\\ttab\"",
        "\"\xc3\xa9\xf0\x9f\x98\x80\"",
        "[]",
        "{}",
        "[[],{},[1,[2]]]",
        "{\"z\":1,\"a\":[true,null],\"m\":{\"k\":\"v\"},\"\":\"\"}",
    };
    struct grc_buf buf;

    (void)state;
    grc_buf_init(&buf, 4096);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *value = grc_json_parse(gr_str_of(texts[i]), DEPTH, NULL);
        char *wanted = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

        assert_non_null(wanted);
        grc_buf_clear(&buf);
        assert_int_equal(grc_json_write(&buf, value), GR_OK);
        assert_string_equal(buf.ptr, wanted);
        free(wanted);
        json_decref(value);
    }
    grc_buf_done(&buf);
}

static void writing_has_limits(void **state)
{
    json_t *loop = json_array();
    json_t *text = json_string("0123456789");
    struct grc_buf buf;

    (void)state;
    grc_buf_init(&buf, 11);
    assert_int_equal(grc_json_write(&buf, text), GR_ERR_TOO_LARGE);
    grc_buf_clear(&buf);
    buf.max_bytes = 4096;
    assert_int_equal(grc_json_write(&buf, NULL), GR_ERR_INTERNAL);
    assert_int_equal(json_array_append(loop, text), 0);
    json_t *other = json_pack("[O]", loop);
    assert_int_equal(json_array_append(loop, other), 0);
    buf.max_bytes = 1 << 20;
    assert_int_equal(grc_json_write(&buf, loop), GR_ERR_INTERNAL);
    assert_int_equal(json_array_clear(loop), 0);
    json_decref(other);
    json_decref(loop);
    json_decref(text);
    grc_buf_done(&buf);
}

/* What one shelf lent may come back to another, to none, or through free(). */
static void blocks_are_shared_with_the_c_library(void **state)
{
    struct grc_json_freelist shelves[2] = {{.count = {0}}, {.count = {0}}};

    (void)state;
    for (size_t round = 0; round < 200; round++) {
        grc_json_freelist_use(round % 3 == 2 ? NULL : &shelves[round % 3]);
        json_t *value = json_pack("{s:[i,i,i,s], s:{s:n, s:f}}", "numbers", 1, 2, (int)round, "x",
                                  "object", "a name that takes a larger block", "b", 0.5);
        char *text = json_dumps(value, JSON_COMPACT);
        grc_json_freelist_use(round % 2 ? &shelves[1] : NULL);
        json_t *again = grc_json_parse(gr_str_of(text), DEPTH, NULL);
        free(text);
        assert_true(json_equal(value, again));
        json_decref(value);
        json_decref(again);
    }
    grc_json_freelist_use(NULL);
    grc_json_freelist_done(&shelves[0]);
    grc_json_freelist_done(&shelves[1]);
    grc_json_freelist_done(&shelves[1]);
}

int main(void)
{
    grc_json_memory_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guard_counts_brackets),
        cmocka_unit_test(any_value_is_parsed),
        cmocka_unit_test(other_texts_are_refused_with_a_reason),
        cmocka_unit_test(reasons_do_not_quote_the_input),
        cmocka_unit_test(deep_nesting_is_refused_before_anything_recurses),
        cmocka_unit_test(values_are_written_as_jansson_does),
        cmocka_unit_test(writing_has_limits),
        cmocka_unit_test(blocks_are_shared_with_the_c_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
