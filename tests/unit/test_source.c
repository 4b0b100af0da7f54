/* Config files with comments, and the positions of their members. */
#include "config/source.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_clean(void **state)
{
    static const struct {
        const char *text;
        const char *clean; /* NULL: a comment that does not end, at the given byte */
        size_t at;
    } rows[] = {
        {"{\"a\": 1}", "{\"a\": 1}", 0},
        {"\xef\xbb\xbf{}", "   {}", 0},
        {"{} // x", "{}     ", 0},
        {"// x\n{}", "    \n{}", 0},
        {"{/* a\nb */}", "{    \n    }", 0},
        {"{\"a\": \"// x /* y */\"}", "{\"a\": \"// x /* y */\"}", 0},
        {"{\"a\": \"\\\"// x\"}", "{\"a\": \"\\\"// x\"}", 0},
        {"[1, 2,]", "[1, 2 ]", 0},
        {"[1, 2, /* x */\n]", "[1, 2         \n]", 0},
        {"{\"a\": [1,],}", "{\"a\": [1 ] }", 0},
        {"[\",]\"]", "[\",]\"]", 0},
        /* this is still not JSON, which the parser finds */
        {"[1,,]", "[1, ]", 0},
        {"/", "/", 0},
        {"[1 / 2]", "[1 / 2]", 0},
        {"{ /* x", NULL, 2},
        {"/*/", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = strdup(rows[i].text);
        size_t at = 0;

        assert_non_null(text);
        assert_int_equal(grc_source_clean(text, strlen(text), &at), rows[i].clean != NULL);
        if (rows[i].clean)
            assert_string_equal(text, rows[i].clean);
        else
            assert_int_equal(at, rows[i].at);
        free(text);
    }
}

static void assert_found(const char *text, const struct grc_path *path, const char *wanted)
{
    size_t at = grc_source_find(gr_str_of(text), path);

    assert_int_equal(strncmp(text + at, wanted, strlen(wanted)), 0);
}

static void test_find(void **state)
{
    static const char text[] =
        "\n{\"a\": {\"b\": [1, {\"c\": \"}\\\"]\"}, [2], 3]}, \"b\": 4, \"e\": {}}";
    const struct grc_path a = {.name = "a"};
    const struct grc_path b = {.up = &a, .name = "b"};
    const struct grc_path second = {.up = &b, .index = 1};
    const struct grc_path c = {.up = &second, .name = "c"};
    const struct grc_path last = {.up = &b, .index = 3};
    const struct grc_path none = {.up = &b, .index = 4};
    const struct grc_path missing = {.up = &a, .name = "x"};
    const struct grc_path top = {.name = "b"};
    const struct grc_path nothing = {.name = "y"};

    (void)state;
    assert_found(text, &a, "\"a\"");
    assert_found(text, &b, "\"b\": [");
    assert_found(text, &second, "{\"c\"");
    assert_found(text, &c, "\"c\"");
    assert_found(text, &last, "3]");
    assert_found(text, &top, "\"b\": 4");
    /* A missing member has the position of its object. */
    assert_found(text, &none, "\"b\": [");
    assert_found(text, &missing, "\"a\"");
    assert_found(text, &nothing, "{\"a\"");
    assert_found("", &a, "");
    assert_found("7", &b, "7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
