#include "trace/context.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static void what_is_valid_is_taken(void **state)
{
    static const struct {
        const char *header;
        const char *taken;
    } cases[] = {
        {"00-" TRACE "-" SPAN "-01", "00-" TRACE "-" SPAN "-01"},
        {"00-" TRACE "-" SPAN "-00", "00-" TRACE "-" SPAN "-00"},
        /* of the flags only "sampled" is known */
        {"00-" TRACE "-" SPAN "-ff", "00-" TRACE "-" SPAN "-01"},
        {"00-" TRACE "-" SPAN "-fe", "00-" TRACE "-" SPAN "-00"},
        /* later versions are read as this one */
        {"cc-" TRACE "-" SPAN "-01", "00-" TRACE "-" SPAN "-01"},
        {"cc-" TRACE "-" SPAN "-01-what comes next", "00-" TRACE "-" SPAN "-01"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char parent[GRC_CONTEXT_BYTES] = "";
        assert_true(grc_context_accept(gr_str_of(cases[i].header), parent));
        assert_string_equal(parent, cases[i].taken);
    }
}

static void what_is_not_is_left(void **state)
{
    static const char *const headers[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN,
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01-more",
        "cc-" TRACE "-" SPAN "-01.more",
        "ff-" TRACE "-" SPAN "-01",
        "0x-" TRACE "-" SPAN "-01",
        "00-" TRACE "-" SPAN "-0g",
        "00_" TRACE "-" SPAN "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-" TRACE "-" SPAN " 01",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        char parent[GRC_CONTEXT_BYTES] = "untouched";
        if (grc_context_accept(gr_str_of(headers[i]), parent))
            fail_msg("taken: %s", headers[i]);
        assert_string_equal(parent, "untouched");
    }
}

static void each_call_is_a_span_of_its_own(void **state)
{
    const char *parent = "00-" TRACE "-" SPAN "-01";
    char child[GRC_CONTEXT_BYTES];
    char other[GRC_CONTEXT_BYTES];
    char again[GRC_CONTEXT_BYTES];

    (void)state;
    grc_context_child(parent, child);
    assert_memory_equal(child, "00-" TRACE "-", 36);
    assert_true(gr_str_eq(grc_context_trace_id(child), GR_STR(TRACE)));
    assert_true(gr_str_eq(grc_context_span_id(child), (gr_str){child + 36, 16}));
    assert_string_equal(child + 52, "-01");
    assert_memory_not_equal(child + 36, SPAN, 16);
    assert_true(grc_context_accept(gr_str_of(child), again));
    grc_context_child(parent, other);
    assert_string_not_equal(child, other);
    grc_context_child(other, other); /* in place */
    assert_memory_equal(other, "00-" TRACE "-", 36);
    grc_context_child("00-" TRACE "-" SPAN "-00", child);
    assert_string_equal(child + 52, "-00");
}

static void whether_it_is_sampled_is_a_flag(void **state)
{
    char context[GRC_CONTEXT_BYTES] = "00-" TRACE "-" SPAN "-01";
    const char none[GRC_CONTEXT_BYTES] = "";

    (void)state;
    assert_true(grc_context_sampled(context));
    grc_context_sample(context, false);
    assert_string_equal(context, "00-" TRACE "-" SPAN "-00");
    assert_false(grc_context_sampled(context));
    grc_context_sample(context, true);
    assert_true(grc_context_sampled(context));
    assert_false(grc_context_sampled(none));
    assert_int_equal(grc_context_trace_id(none).len, 0);
    assert_int_equal(grc_context_span_id(none).len, 0);
    assert_int_equal(grc_context_randomness(context), 0x48eb211c80319c);
}

static void a_trace_of_our_own_is_valid(void **state)
{
    char parent[GRC_CONTEXT_BYTES];
    char again[GRC_CONTEXT_BYTES];

    (void)state;
    grc_context_begin(parent);
    assert_true(grc_context_accept(gr_str_of(parent), again));
    assert_string_equal(parent, again);
    assert_string_equal(parent + 52, "-01");
}

static void a_state_is_printable_and_short(void **state)
{
    char *large = calloc(1, 514);

    (void)state;
    assert_non_null(large);
    assert_true(grc_context_state_good(GR_STR("vendor=1,other=a b")));
    assert_false(grc_context_state_good(GR_STR("")));
    assert_false(grc_context_state_good(GR_STR("a=\x01")));
    assert_false(grc_context_state_good(GR_STR("a=\xc3\xa9")));
    memset(large, 'x', 513);
    assert_false(grc_context_state_good((gr_str){large, 513}));
    assert_true(grc_context_state_good((gr_str){large, 512}));
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_valid_is_taken),
        cmocka_unit_test(what_is_not_is_left),
        cmocka_unit_test(each_call_is_a_span_of_its_own),
        cmocka_unit_test(whether_it_is_sampled_is_a_flag),
        cmocka_unit_test(a_trace_of_our_own_is_valid),
        cmocka_unit_test(a_state_is_printable_and_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
