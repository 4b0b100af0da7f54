/* Versions as dpkg orders them, and the table of advisories. */
#include "server/advisories.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void versions_are_ordered_as_dpkg_orders_them(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        int order;
    } cases[] = {
        {"1.0", "1.0", 0},
        {"1.9", "1.10", -1},
        {"1.0~rc1", "1.0", -1},
        {"1.0", "1.0+deb12u1", -1},
        {"1.10.2-1", "1.10.2-1+deb12u1", -1},
        {"1.10.2-1+deb12u1", "1.10.2-1+deb12u2", -1},
        {"7.88.1-10+deb12u9", "7.88.1-10+deb12u10", -1},
        {"1:1.0", "2.0", 1},
        {"3.0.22-1~deb12u2", "3.0.7", 1},
        {"10.42 2022", "10.40", 1},
        {"1.001", "1.1", 0},
        {"a", "+", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int there = grc_debian_version_compare(cases[i].a, cases[i].b);
        int back = grc_debian_version_compare(cases[i].b, cases[i].a);

        if ((there > 0) - (there < 0) != cases[i].order ||
            (back > 0) - (back < 0) != -cases[i].order)
            fail_msg("%s and %s: %d, %d", cases[i].a, cases[i].b, there, back);
    }
}

static const struct grc_advisory *row_of(const char *id)
{
    const struct grc_advisory *row = grc_advisories;

    while (row->library && !strstr(row->id, id))
        row++;
    assert_non_null(row->library);
    return row;
}

static void an_advisory_holds_from_its_first_to_before_its_fixed_version(void **state)
{
    const struct grc_advisory *row = row_of("CVE-2022-3602");

    (void)state;
    assert_false(grc_advisory_holds(row, "1.1.1", NULL));
    assert_true(grc_advisory_holds(row, "3.0.0", NULL));
    assert_true(grc_advisory_holds(row, "3.0.6", NULL));
    assert_false(grc_advisory_holds(row, "3.0.7", NULL));
    assert_false(grc_advisory_holds(row, NULL, NULL));
}

static void a_package_that_was_mended_is_no_concern(void **state)
{
    const struct grc_advisory *row = row_of("CVE-2024-25189");

    (void)state;
    assert_true(grc_advisory_holds(row, NULL, "1.10.2-1"));
    assert_false(grc_advisory_holds(row, NULL, "1.10.2-1+deb12u1"));
    assert_false(grc_advisory_holds(row, NULL, "1.17.2-1"));
    row = row_of("CVE-2023-38545");
    assert_true(grc_advisory_holds(row, "7.88.1", "7.88.1-10"));
    assert_false(grc_advisory_holds(row, "7.88.1", "7.88.1-10+deb12u15"));
    assert_true(grc_advisory_holds(row, "7.88.1", NULL));
}

static void packages_are_found_in_the_status_file(void **state)
{
    static const char status[] = "Package: libjwt\nStatus: install ok installed\nVersion: 9\n\n"
                                 "Package: libjwt0\nStatus: install ok installed\n"
                                 "Architecture: amd64\nVersion: 1.10.2-1\n\n"
                                 "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
                                 "Package: last\nStatus: install ok installed\nVersion: 2";
    char buffer[32];

    (void)state;
    assert_string_equal(grc_package_version(status, "libjwt0", buffer, sizeof(buffer)), "1.10.2-1");
    assert_string_equal(grc_package_version(status, "last", buffer, sizeof(buffer)), "2");
    assert_null(grc_package_version(status, "gone", buffer, sizeof(buffer)));
    assert_null(grc_package_version(status, "lib", buffer, sizeof(buffer)));
}

static void every_row_says_what_it_means(void **state)
{
    (void)state;
    for (const struct grc_advisory *row = grc_advisories; row->library; row++) {
        assert_non_null(row->fixed);
        assert_non_null(row->id);
        assert_non_null(row->why);
        assert_true(row->version || row->package);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_ordered_as_dpkg_orders_them),
        cmocka_unit_test(an_advisory_holds_from_its_first_to_before_its_fixed_version),
        cmocka_unit_test(a_package_that_was_mended_is_no_concern),
        cmocka_unit_test(packages_are_found_in_the_status_file),
        cmocka_unit_test(every_row_says_what_it_means),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
