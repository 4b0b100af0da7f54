/* Names, tokens, lists and numbers in fields of HTTP. */
#include "base/field.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static void a_token_has_the_characters_of_the_rfc(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[2] = {(char)c, 'a'};
        bool wanted = c > 0 && c < 128 && (isalnum(c) || strchr("!#$%&'*+-.^_`|~", c));

        assert_int_equal(grc_field_token((gr_str){text, 2}), wanted);
    }
    assert_false(grc_field_token(GR_STR("")));
    assert_true(grc_field_token(GR_STR("x")));
}

static void names_have_no_case_but_a_length(void **state)
{
    (void)state;
    assert_true(grc_field_is(GR_STR("CONTENT-length"), "Content-Length"));
    assert_false(grc_field_is(GR_STR("Content-Lengt"), "Content-Length"));
    assert_false(grc_field_is(GR_STR("Content-Length1"), "Content-Length"));
    assert_false(grc_field_is((gr_str){NULL, 0}, "a"));
}

static void a_list_is_taken_apart(void **state)
{
    static const char *const members[] = {"a", "", "b c", "d"};
    gr_str list = GR_STR(" a ,,\tb c,d\t");
    gr_str one;
    size_t count = 0;

    (void)state;
    while (grc_field_next(&list, &one)) {
        assert_true(count < 4);
        assert_true(gr_str_eq(one, gr_str_of(members[count++])));
    }
    assert_int_equal(count, 4);
    list = GR_STR("");
    assert_true(grc_field_next(&list, &one));
    assert_int_equal(one.len, 0);
    assert_false(grc_field_next(&list, &one));
    assert_true(grc_field_has(GR_STR("keep-alive, Close"), "close"));
    assert_false(grc_field_has(GR_STR("closed, xclose, clos e"), "close"));
    assert_false(grc_field_has((gr_str){NULL, 0}, "close"));
}

static void a_number_is_all_digits_and_fits(void **state)
{
    static const struct {
        const char *text;
        int64_t number; /* -1: the text is not a number */
    } cases[] = {
        {"0", 0},
        {"007", 7},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", -1},
        {"99999999999999999999", -1},
        {"", -1},
        {"+1", -1},
        {"-1", -1},
        {" 1", -1},
        {"1 ", -1},
        {"1,1", -1},
        {"0x1", -1},
        {"1\xb2", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t number = 0;
        bool good = grc_field_number(gr_str_of(cases[i].text), &number);

        assert_int_equal(good, cases[i].number >= 0);
        if (good)
            assert_int_equal(number, cases[i].number);
    }
}

static void a_value_has_no_control_characters(void **state)
{
    (void)state;
    assert_true(grc_field_value(GR_STR("a\tb ~\xc3\xa4")));
    assert_true(grc_field_value((gr_str){NULL, 0}));
    for (int c = 0; c < 0x20; c++)
        assert_int_equal(grc_field_value((gr_str){(const char[]){'a', (char)c}, 2}), c == '\t');
    assert_false(grc_field_value(GR_STR("a\x7f")));
    assert_true(grc_field_value(GR_STR("a \"quoted\" one and a \\")));
    assert_false(grc_field_value(GR_STR("a \"quoted\" one and a\n")));
}

static void json_has_a_type(void **state)
{
    static const char *const types[] = {"application/json", "APPLICATION/Json; charset=utf-8",
                                        "application/json ;a", " application/problem+json",
                                        "application/vnd.a.b+JSON\t;v=1"};
    static const char *const others[] = {"",
                                         "application",
                                         "application/",
                                         "application/jsonx",
                                         "application/+json",
                                         "application/xjson",
                                         "text/json",
                                         "image/svg+json",
                                         "application/json, text/plain",
                                         "application/x-www-form-urlencoded; a=application/json",
                                         ";application/json"};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        assert_true(grc_field_json_type(gr_str_of(types[i])));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(grc_field_json_type(gr_str_of(others[i])));
    assert_false(grc_field_json_type((gr_str){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_has_the_characters_of_the_rfc),
        cmocka_unit_test(names_have_no_case_but_a_length),
        cmocka_unit_test(a_list_is_taken_apart),
        cmocka_unit_test(a_number_is_all_digits_and_fits),
        cmocka_unit_test(a_value_has_no_control_characters),
        cmocka_unit_test(json_has_a_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
