/* base/json.h */
#include "base/json.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <malloc.h>
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
        if (grc_json_guard(gr_str_of(cases[i].text), cases[i].depth, NULL) != cases[i].verdict)
            fail_msg("case %zu: '%s'", i, cases[i].text);
    }
    /* stays inside of its slice */
    assert_int_equal(grc_json_guard((gr_str){"[]]", 2}, 1, NULL), GRC_JSON_OK);
    assert_int_equal(grc_json_guard((gr_str){"\"a\\\"", 3}, 1, NULL), GRC_JSON_UNBALANCED);
    assert_int_equal(grc_json_guard((gr_str){NULL, 0}, 1, NULL), GRC_JSON_OK);
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
    static const char *const nuls[] = {"[1!]",  "!1",         "1!",        "[!1]",
                                       "\"!\"", "{!\"a\":1}", "{\"a\"!:1}"};
    for (size_t i = 0; i < sizeof(nuls) / sizeof(nuls[0]); i++) {
        char text[16];
        size_t len = strlen(nuls[i]);

        memcpy(text, nuls[i], len);
        *(char *)memchr(text, '!', len) = '\0';
        assert_null(grc_json_parse((gr_str){text, len}, DEPTH, NULL));
    }
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

/* Prints how the results of the two readers differ, if they do. */
static void assert_as_jansson(gr_str text)
{
    json_t *wanted = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    json_t *value = grc_json_parse(text, DEPTH, NULL);

    if ((wanted != NULL) != (value != NULL) || (wanted && !json_equal(wanted, value)))
        fail_msg("'%.*s': jansson %s it, and it was %s", (int)text.len, text.ptr,
                 wanted ? "takes" : "refuses", value ? "taken" : "refused");
    json_decref(wanted);
    json_decref(value);
}

/* Valid and invalid texts of every kind. */
static const char *const all_forms[] = {
    "0",
    "-",
    "-0",
    "-0.0",
    "00",
    "-01",
    "1.",
    ".5",
    "1.5",
    "1.25e+2",
    "1E-2",
    "1e",
    "1e+",
    "+1",
    "0e0",
    "0.1e1",
    "1e5.",
    "999999999999999999",
    "9223372036854775806",
    "18446744073709551616",
    "92233720368547758070",
    "1e308",
    "1.8e308",
    "-1e400",
    "1e-400",
    "4.9e-324",
    "0x1",
    "1_0",
    "123456789012345678901234567890123456789012345678901234567890123456789.5",
    "0.1234567890123456789012345678901234567890123456789012345678901234567890e1",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\a\"",
    "\"\\\"",
    "\"\\u\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\u0041\\u00E9\\u20ac\\uD83D\\uDE00\"",
    "\"\\udc00\"",
    "\"\\ud800x\"",
    "\"\\ud800\\n\"",
    "\"\\ud800\\u0041\"",
    "\"\\ud800\\ud800\"",
    "\"\\uDBFF\\uDFFF\"",
    "\"\\ufffe\"",
    "\"\x7f\"",
    "\"plain\\tand\xc3\xa9\\u0301more\"",
    "\"\\n\xc3\"",
    "\"\\n\x01\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xc0\x80\"",
    "\"\xe2\x82\"",
    "[\"a\",\"\\u0062\",\"c\"]",
    "{\"\\u0061\":\"\\u0062\\u0063\"}",
    "{\"a\\\"\":{\"b\\\\\":[\"\\/\"]},\"\":0}",
    "{\"a\":1,\"b\":2,\"a\":3}",
    "{\"a\":{\"a\":{}},\"b\":{\"a\":1}}",
    "{\"\\n\":1,\"\\u000a\":2}",
    "{\"\":1,\"\":1}",
    "{,}",
    "{\"a\",}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":1 \"b\":2}",
    "{\"a\" : 1 , \"b\" :2 }",
    "{a:1}",
    "{1:1}",
    "{\"a\":1]",
    "[1}",
    "[,]",
    "[1,]",
    "[1,,2]",
    "[1 2]",
    "[\n1\t,\r2 ]",
    "[\f1]",
    "[\x0b]",
    "[\xc2\xa0]",
    "true",
    "tru",
    "truex",
    "True",
    "[true1]",
    "[true,false,null]",
    "nul",
    "nulL",
    "falsey",
    "[-true]",
    "\"a\"\"b\"",
    "1,",
    ",",
    ":",
    "{}{}",
    "[]1",
    "'a'",
    "/**/1",
    "1//",
    "\x1e{}",
    "NaN",
    "-Infinity",
    "[[[[[[[[]]]]]]]]",
    "[[[{\"a\":[{}]}]]]",
};

static void texts_are_read_as_jansson_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(all_forms) / sizeof(all_forms[0]); i++)
        assert_as_jansson(gr_str_of(all_forms[i]));
}

/* Tries each text with each of its bytes removed, doubled and replaced. */
static void texts_with_a_fault_are_read_as_jansson_does(void **state)
{
    static const char *const texts[] = {
        "{\"id\":\"66f1\",\"n\":[-1.5e+3,0,12],\"t\":true,\"f\":false,\"z\":null}",
        "[\"\\ud83c\\udfa5 \xf0\x9f\x8e\xa5 \\\\\\\" \xc3\xa9\",{\"\\u0061\":{}},[[ ]], "
        "9223372036854775807]",
    };
    static const char others[] = "\"\\{}[],:0-.eEu \n\x80\xed\x7f\x01";
    char text[160];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const size_t len = strlen(texts[i]);

        assert_true(len + 1 < sizeof(text));
        for (size_t at = 0; at < len; at++) {
            memcpy(text, texts[i], at);
            memcpy(text + at, texts[i] + at + 1, len - at - 1);
            assert_as_jansson((gr_str){text, len - 1});
            memcpy(text + at, texts[i] + at, 1);
            memcpy(text + at + 1, texts[i] + at, len - at);
            assert_as_jansson((gr_str){text, len + 1});
            memcpy(text, texts[i], len);
            for (size_t other = 0; other < sizeof(others) - 1; other++) {
                text[at] = others[other];
                assert_as_jansson((gr_str){text, len});
            }
        }
    }
}

static void a_reason_names_the_place(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"{\n  \"a\": nope}", "syntax error at line 2, column 8"},
        {"[1, 99999999999999999999]", "integer out of range at line 1, column 5"},
        {"{\"\xc3\xa9\":1,\n\"\xc3\xa9\":2}",
         "an object has the same key twice at line 2, column 1"},
        {"[1] x", "something follows the value at line 1, column 5"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *reason = NULL;

        assert_null(grc_json_parse(gr_str_of(cases[i].text), DEPTH, &reason));
        assert_string_equal(reason, cases[i].reason);
    }
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

/* Runs with only as much stack as a worker has left. */
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
    /* The smallest stack on arm64; a frame for each level would not fit in it. */
    assert_int_equal(pthread_attr_setstacksize(&attr, (size_t)128 * 1024), 0);
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

/* The result must be that of the printer of jansson. */
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

/* Tries each character at each place of short strings, because the printer examines eight bytes at
 * a time. */
static void every_character_is_written_at_every_place(void **state)
{
    struct grc_buf buf;

    (void)state;
    grc_buf_init(&buf, 4096);
    for (size_t len = 1; len <= 20; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 1; c < 0x80; c++) {
                char text[20];

                memset(text, 'x', len);
                text[at] = (char)c;
                grc_buf_clear(&buf);
                assert_int_equal(grc_buf_json_string(&buf, (gr_str){text, len}), GR_OK);
                json_t *read = json_loadb(buf.ptr, buf.len, JSON_DECODE_ANY, NULL);
                assert_int_equal(json_string_length(read), len);
                assert_memory_equal(json_string_value(read), text, len);
                /* Nothing is escaped without need. */
                bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
                assert_int_equal(buf.len == len + 2, plain);
                json_decref(read);
            }
        }
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

static void a_value_is_released_with_its_arena(void **state)
{
    json_t *value = json_array();
    struct grc_arena arena;

    (void)state;
    grc_arena_init(&arena, 4096);
    assert_int_equal(grc_json_defer(&arena, json_incref(value)), GR_OK);
    assert_int_equal(grc_json_defer(&arena, NULL), GR_OK);
    assert_int_equal(value->refcount, 2);
    grc_arena_done(&arena);
    assert_int_equal(value->refcount, 1);
    grc_arena_init(&arena, 1);
    assert_int_not_equal(grc_json_defer(&arena, json_incref(value)), GR_OK);
    assert_int_equal(value->refcount, 1);
    grc_arena_done(&arena);
    json_decref(value);
}

/* --- memory of a parse --- */

static struct {
    size_t now;
    size_t peak;
} taken;

static void *counted_alloc(size_t size)
{
    void *memory = malloc(size);

    taken.now += memory ? malloc_usable_size(memory) + sizeof(size_t) : 0;
    if (taken.now > taken.peak)
        taken.peak = taken.now;
    return memory;
}

static void counted_free(void *memory)
{
    taken.now -= memory ? malloc_usable_size(memory) + sizeof(size_t) : 0;
    free(memory);
}

/* open, unit repeated with "#" replaced by a number, close. */
static gr_str filled(const char *open, const char *unit, const char *close, size_t bytes)
{
    struct grc_buf buf;
    size_t number = 0;

    grc_buf_init(&buf, bytes + 4096);
    assert_int_equal(grc_buf_text(&buf, open), GR_OK);
    while (buf.len < bytes) {
        for (const char *c = unit; *c; c++)
            assert_int_equal(
                *c == '#' ? grc_buf_format(&buf, "%zx", number) : grc_buf_char(&buf, *c), GR_OK);
        number++;
    }
    if (unit[strlen(unit) - 1] == ',')
        buf.len--;
    assert_int_equal(grc_buf_text(&buf, close), GR_OK);
    return grc_buf_view(&buf);
}

static void the_memory_of_a_parse_is_known_before_it(void **state)
{
    static const struct {
        const char *open;
        const char *unit;
        const char *close;
    } shapes[] = {
        {"[", "{},", "]"},
        {"[", "[],", "]"},
        {"[", "1,", "]"},
        {"[", "-1.5e3,", "]"},
        {"[", "\"\",", "]"},
        {"[", "\"a text of some length\",", "]"},
        {"[", "true,", "]"},
        {"[", "[[[[[[[[[]]]]]]]]],", "]"},
        {"[", "{\"\":0},", "]"},
        {"{", "\"#\":0,", "}"},
        {"{", "\"a name of some length #\":\"a text\",", "}"},
        {"[", "{\"id\":\"66f1c0a2b4d9\",\"name\":\"room #\",\"enabled\":true,\"size\":5},", "]"},
        {"\"", "a", "\""},
        {"\"", "\\u00e4", "\""},
        {"[ ", " 1 , ", " 2 ]"},
    };

    (void)state;
    json_set_alloc_funcs(counted_alloc, counted_free);
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        for (size_t bytes = 100; bytes <= 300000; bytes *= 7) {
            gr_str text = filled(shapes[i].open, shapes[i].unit, shapes[i].close, bytes);
            json_t *value = NULL;
            size_t memory = 0;

            taken.now = taken.peak = 0;
            assert_int_equal(grc_json_parse_within(text, DEPTH, SIZE_MAX, &value, &memory, NULL),
                             GR_OK);
            size_t peak = taken.peak;
            grc_json_drop(value, memory);
            /* jansson's lexer allocates a few hundred bytes at first */
            if (peak > memory + 512 || memory > 3 * peak)
                fail_msg("shape %zu of %zu bytes: %zu said, %zu taken", i, text.len, memory, peak);
            const char *reason = NULL;
            assert_int_equal(
                grc_json_parse_within(text, DEPTH, memory - 1, &value, &memory, &reason),
                GR_ERR_TOO_LARGE);
            assert_null(value);
            assert_string_equal(reason, "it has too many values");
            free((void *)(uintptr_t)text.ptr);
        }
    }
    json_set_alloc_funcs(malloc, free);
}

/* --- parts --- */

/* "name=value;" for each part, then "." at the end or "!" at an error. */
static void list_parts(gr_str text, struct grc_buf *out)
{
    struct grc_json_parts parts;
    gr_str name;
    gr_str value;

    grc_buf_clear(out);
    if (!grc_json_parts_begin(&parts, text)) {
        assert_int_equal(grc_buf_text(out, "none"), GR_OK);
        return;
    }
    while (grc_json_parts_next(&parts, &name, &value))
        assert_int_equal(grc_buf_format(out, "%.*s=%.*s;", (int)name.len, name.ptr ? name.ptr : "",
                                        (int)value.len, value.ptr),
                         GR_OK);
    assert_int_equal(grc_buf_char(out, parts.broken ? '!' : '.'), GR_OK);
}

static void parts_are_found_without_a_tree(void **state)
{
    static const struct {
        const char *text;
        const char *parts;
    } cases[] = {
        {"", "none"},
        {"1", "none"},
        {"\"[\"", "none"},
        {"[]", "."},
        {" { } ", "."},
        {"[1]", "=1;."},
        {" [ 1 , [2,3] , {\"a\":[4]} ] ", "=1 ;=[2,3] ;={\"a\":[4]} ;."},
        {"[\"],\",\"\\\"]\"]", "=\"],\";=\"\\\"]\";."},
        {"{\"a\":1,\"b\" : {\"c\":2}}", "\"a\"=1;\"b\"={\"c\":2};."},
        {"{\"}\":\",\"}", "\"}\"=\",\";."},
        {"[1,]", "=1;=;."}, /* the empty value is not JSON, which the reader of the value finds */
        {"[,1]", "=;=1;."},
        {"[1 2]", "=1 2;."},
        {"[1}", "=1;!"},
        {"[1},[2]", "=1;!"}, /* it has as many opening as closing brackets */
        {"{\"a\":1]", "\"a\"=1;!"},
        {"[1] 2", "=1;!"},
        {"[1", "!"},
        {"[", "!"},
        {"[\"a", "!"},
        {"{1:2}", "!"},
        {"{\"a\"}", "!"},
        {"{\"a\" 1}", "!"},
        {"{\"a\":1,}", "\"a\"=1;!"},
        {"{\"a", "!"},
    };
    struct grc_buf out;

    (void)state;
    grc_buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        list_parts(gr_str_of(cases[i].text), &out);
        if (strcmp(out.ptr, cases[i].parts) != 0)
            fail_msg("'%s': '%s', wanted '%s'", cases[i].text, out.ptr, cases[i].parts);
    }
    grc_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guard_counts_brackets),
        cmocka_unit_test(any_value_is_parsed),
        cmocka_unit_test(other_texts_are_refused_with_a_reason),
        cmocka_unit_test(reasons_do_not_quote_the_input),
        cmocka_unit_test(texts_are_read_as_jansson_does),
        cmocka_unit_test(texts_with_a_fault_are_read_as_jansson_does),
        cmocka_unit_test(a_reason_names_the_place),
        cmocka_unit_test(deep_nesting_is_refused_before_anything_recurses),
        cmocka_unit_test(values_are_written_as_jansson_does),
        cmocka_unit_test(every_character_is_written_at_every_place),
        cmocka_unit_test(writing_has_limits),
        cmocka_unit_test(a_value_is_released_with_its_arena),
        cmocka_unit_test(the_memory_of_a_parse_is_known_before_it),
        cmocka_unit_test(parts_are_found_without_a_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
