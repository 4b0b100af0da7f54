/* metrics/metrics.h: the text format. */
#include "metrics/metrics.h"

#include <math.h>
#include <stdlib.h>
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
        {"", "name=\"\"}"},
        {"rooms.get", "name=\"rooms.get\"}"},
        {"a\"b", "name=\"a\\\"b\"}"},
        {"a\\b", "name=\"a\\\\b\"}"},
        {"a\nb", "name=\"a\\nb\"}"},
        {"\\\"\n", "name=\"\\\\\\\"\\n\"}"},
        {"\\n", "name=\"\\\\n\"}"},
        {"tab\tand {braces}, =", "name=\"tab\tand {braces}, =\"}"},
        {"\xc3\xa9", "name=\"\xc3\xa9\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct grc_buf out;

        grc_buf_init(&out, 256);
        grc_metrics_label(&out, "name", cases[i].value, "}");
        assert_true(gr_str_eq(grc_buf_view(&out), gr_str_of(cases[i].text)));
        grc_buf_done(&out);
    }
}

/* Each bucket counts the requests that took no longer than its bound. The last one counts all. */
static void a_bucket_counts_what_is_within_its_bound(void **state)
{
    static const char bucket[] = "_bucket{operation=\"test.took\"";
    static const int64_t took_us[] = {0, 1000, 1001, 2500, 999999999};
    struct grc_route_metrics *metrics = grc_metrics_route("test.took", "test");
    struct grc_buf out;
    unsigned lines = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(took_us) / sizeof(took_us[0]); i++)
        grc_metrics_request(metrics, 200, took_us[i]);
    grc_buf_init(&out, 1 << 20);
    grc_metrics_render(&out, NULL, NULL);
    assert_int_equal(grc_buf_char(&out, '\0'), GR_OK);
    for (const char *at = strstr(out.ptr, bucket); at; at = strstr(at + 1, bucket)) {
        const char *le = strstr(at, "le=\"") + 4;
        double bound_s = strncmp(le, "+Inf", 4) == 0 ? HUGE_VAL : strtod(le, NULL);
        unsigned long within = 0;

        for (size_t i = 0; i < sizeof(took_us) / sizeof(took_us[0]); i++)
            within += (double)took_us[i] / 1e6 <= bound_s;
        assert_int_equal(strtoul(strchr(le, '}') + 1, NULL, 10), within);
        lines++;
    }
    assert_true(lines > 5);
    grc_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(a_bucket_counts_what_is_within_its_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
