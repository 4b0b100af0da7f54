/* metrics/metrics.h: the text format. */
#include "metrics/metrics.h"

#include <string.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The text format escapes backslash, quote and line feed in a label's value, and nothing else. */
static void labels_are_escaped(void **state)
{
    static const struct {
        const char *value;
        const char *text;
    } cases[] = {
        {"", "\"\""},
        {"rooms.get", "\"rooms.get\""},
        {"a\"b", "\"a\\\"b\""},
        {"a\\b", "\"a\\\\b\""},
        {"a\nb", "\"a\\nb\""},
        {"\\\"\n", "\"\\\\\\\"\\n\""},
        {"\\n", "\"\\\\n\""},
        {"tab\tand {braces}, =", "\"tab\tand {braces}, =\""},
        {"\xc3\xa9", "\"\xc3\xa9\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct grc_buf out;

        grc_buf_init(&out, 256);
        grc_metrics_label(&out, cases[i].value);
        assert_true(gr_str_eq(grc_buf_view(&out), gr_str_of(cases[i].text)));
        grc_buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(labels_are_escaped)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
