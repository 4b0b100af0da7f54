/* The paths of an installation, which are derived from the place of its program. */
#include "base/place.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_place(const char *program, enum grc_place place, const char *wanted)
{
    char path[PATH_MAX];

    assert_true(grc_place_of(program, place, path, sizeof(path)));
    assert_string_equal(path, wanted);
}

static void test_installed_at_any_prefix(void **state)
{
    static const struct {
        const char *program;
        const char *config;
        const char *data;
        const char *state;
    } rows[] = {
        {"/usr/bin/greenroom", "/etc/greenroom", "/usr/share/greenroom", "/var/lib/greenroom"},
        {"/usr/local/bin/greenroom", "/usr/local/etc/greenroom", "/usr/local/share/greenroom",
         "/var/lib/greenroom"},
        {"/opt/green room/bin/greenroom", "/opt/green room/etc/greenroom",
         "/opt/green room/share/greenroom", "/opt/green room/var/lib/greenroom"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_place(rows[i].program, GRC_PLACE_CONFIG, rows[i].config);
        assert_place(rows[i].program, GRC_PLACE_DATA, rows[i].data);
        assert_place(rows[i].program, GRC_PLACE_STATE, rows[i].state);
    }
}

static void test_plugins_follow_the_prefix(void **state)
{
    char path[PATH_MAX];

    (void)state;
    assert_true(grc_place_of("/opt/x/bin/greenroom", GRC_PLACE_PLUGINS, path, sizeof(path)));
    assert_int_equal(strncmp(path, "/opt/x/lib", 10), 0);
    assert_non_null(strstr(path, "/greenroom/plugins"));
}

/* A directory "plugins" beside the program means a build tree, whatever its name. */
static void test_build_tree(void **state)
{
    char dir[] = "/tmp/greenroom-place-XXXXXX";
    char program[PATH_MAX];
    char wanted[PATH_MAX];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(wanted, sizeof(wanted), "%s/bin", dir);
    assert_int_equal(mkdir(wanted, 0700), 0);
    snprintf(wanted, sizeof(wanted), "%s/bin/plugins", dir);
    assert_int_equal(mkdir(wanted, 0700), 0);
    snprintf(program, sizeof(program), "%s/bin/greenroom", dir);
    assert_place(program, GRC_PLACE_PLUGINS, wanted);
    snprintf(wanted, sizeof(wanted), "%s/bin/state", dir);
    assert_place(program, GRC_PLACE_STATE, wanted);
    snprintf(wanted, sizeof(wanted), "%s/bin/plugins", dir);
    assert_int_equal(rmdir(wanted), 0);
    snprintf(wanted, sizeof(wanted), "%s/bin", dir);
    assert_int_equal(rmdir(wanted), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void test_a_path_that_does_not_fit(void **state)
{
    char path[16];

    (void)state;
    assert_false(
        grc_place_of("/opt/a/long/prefix/bin/greenroom", GRC_PLACE_CONFIG, path, sizeof(path)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_installed_at_any_prefix),
        cmocka_unit_test(test_plugins_follow_the_prefix),
        cmocka_unit_test(test_build_tree),
        cmocka_unit_test(test_a_path_that_does_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
