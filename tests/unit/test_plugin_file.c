/* Switching a group changes one word of its file. */
#include "cmd/plugin_file.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static void check(const char *before, bool enabled, const char *after)
{
    struct grc_buf buf;

    grc_buf_init(&buf, 4096);
    assert_int_equal(grc_enabled_set(&buf, gr_str_of(before), enabled), GR_OK);
    assert_string_equal(buf.ptr, after);
    grc_buf_done(&buf);
}

static void test_replace(void **state)
{
    (void)state;
    check("{\"enabled\":true}", false, "{\"enabled\":false}");
    check("{\"enabled\" : false , \"a\": 1}", true, "{\"enabled\" : true , \"a\": 1}");
    check("{\n\t\"library\": \"x.so\",\n\t\"enabled\": true\n}\n", false,
          "{\n\t\"library\": \"x.so\",\n\t\"enabled\": false\n}\n");
    check("{\"enabled\": {\"odd\": [1, \"}\"]}, \"z\": 1}", true, "{\"enabled\": true, \"z\": 1}");
    check("{\"enabled\": \"a\\\"b\"}", true, "{\"enabled\": true}");
}

/* Only the member of the outermost object is changed, wherever else the word occurs. */
static void test_elsewhere(void **state)
{
    (void)state;
    check("{\"routes\": {\"a\": {\"enabled\": true}}, \"x\": \"enabled\", \"enabled\": true}",
          false,
          "{\"routes\": {\"a\": {\"enabled\": true}}, \"x\": \"enabled\", \"enabled\": "
          "false}");
    check("{\"a\": \"\\\\\", \"b\": [[\"]\"], {}], \"enabled\": false}", true,
          "{\"a\": \"\\\\\", \"b\": [[\"]\"], {}], \"enabled\": true}");
}

/* Comments are skipped, and are kept. */
static void test_comments(void **state)
{
    (void)state;
    check("{// \"enabled\": 1\n\"enabled\": true, /* x */}", false,
          "{// \"enabled\": 1\n\"enabled\": false, /* x */}");
    check("{ /* nothing */ }", true, "{\n  \"enabled\": true\n /* nothing */ }");
}

static void test_insert(void **state)
{
    (void)state;
    check("{}", false, "{\n  \"enabled\": false\n}");
    check("{ }\n", true, "{\n  \"enabled\": true\n }\n");
    check("{\n  \"library\": \"x.so\"\n}", false,
          "{\n  \"enabled\": false,\n  \"library\": \"x.so\"\n}");
    check("{\"config\": {\"enabled\": true}}", false,
          "{\n  \"enabled\": false,\"config\": {\"enabled\": true}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_insert),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
