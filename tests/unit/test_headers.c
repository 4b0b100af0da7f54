/* Headers of calls and answers. */
#include "upstream/headers.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static void only_safe_headers_travel(void **state)
{
    static const char *const dropped[] = {
        "Host",   "content-length", "TRANSFER-ENCODING", "TE",      "Proxy-Anything",  "Connection",
        "Expect", "x-request-id",   "Trailer",           "Upgrade", "Proxy-Connection"};

    (void)state;
    for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
        assert_false(grc_header_outgoing(gr_str_of(dropped[i]), true));
    assert_true(grc_header_outgoing(GR_STR("X-Tenant"), false));
    assert_true(grc_header_outgoing(GR_STR("Authorization"), true));
    assert_false(grc_header_outgoing(GR_STR("authorization"), false));
    assert_int_equal(grc_header_incoming(GR_STR("retry-after")), GRC_HEADER_RETRY_AFTER);
    assert_int_equal(grc_header_incoming(GR_STR("X-RateLimit-Limit")), GRC_HEADER_PASS);
    assert_int_equal(grc_header_incoming(GR_STR("RateLimit")), GRC_HEADER_PASS);
    assert_int_equal(grc_header_incoming(GR_STR("Set-Cookie")), GRC_HEADER_DROP);
    assert_int_equal(grc_header_incoming(GR_STR("Location")), GRC_HEADER_DROP);
    assert_int_equal(grc_header_incoming(GR_STR("Content-Length")), GRC_HEADER_DROP);
}

static void lines_are_split_strictly(void **state)
{
    struct gr_pair pair;

    (void)state;
    assert_true(grc_header_split(GR_STR("Retry-After: \t7 \r\n"), &pair));
    assert_true(gr_str_eq(pair.name, GR_STR("Retry-After")));
    assert_true(gr_str_eq(pair.value, GR_STR("7")));
    assert_true(grc_header_split(GR_STR("A:\r\n"), &pair));
    assert_int_equal(pair.value.len, 0);
    assert_false(grc_header_split(GR_STR("Retry-After: 7\rX: y\r\n"), &pair));
    assert_false(grc_header_split(GR_STR("Retry-After: 7\0\r\n"), &pair));
    assert_false(grc_header_split(GR_STR(" folded: x\r\n"), &pair));
    assert_false(grc_header_split(GR_STR("Retry-After : x\r\n"), &pair));
    assert_false(grc_header_split(GR_STR(": x\r\n"), &pair));
    assert_false(grc_header_split(GR_STR("no colon\r\n"), &pair));
    assert_false(grc_header_split(GR_STR("Retry-After: \xff\r\n"), &pair));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_safe_headers_travel),
        cmocka_unit_test(lines_are_split_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
