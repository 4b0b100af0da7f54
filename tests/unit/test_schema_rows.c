/* validate/schema.h: which tables are refused when they are compiled, and how rows of an older ABI
 * are read. */
#include "validate/schema.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void wrong_rows_are_named(void **state)
{
    const struct {
        struct gr_field row;
        const char *reason;
    } cases[] = {
        {GR_FIELD("a", GR_INT, NULL), "row 'a': .doc is missing"},
        {GR_FIELD("a", GR_INT, ""), "row 'a': .doc is missing"},
        {GR_FIELD("", GR_INT, "d"), "its name is empty"},
        {{.name = "a", .doc = "d"}, "row 'a': unknown type 0"},
        {GR_FIELD("a", (enum gr_type)77, "d"), "row 'a': unknown type 77"},
        {{.type = GR_INT, .doc = "d"}, "row 1 of its table has no name"},
        {GR_FIELD("a", GR_INT, "d", .flags = 1u << 20),
         "row 'a': .flags has unknown bits 0x100000"},
        {GR_FIELD("a", GR_INT, "d", .flags = GR_FIELD_STRICT),
         "GR_FIELD_STRICT needs GR_OBJECT with .fields"},
        {GR_FIELD("a", GR_OBJECT, "d", .flags = GR_FIELD_STRICT),
         "GR_FIELD_STRICT needs GR_OBJECT"},
        {GR_FIELD("a", GR_OBJECT, "d", .flags = GR_FIELD_STRICT | GR_FIELD_HINTS,
                  .fields = &(const struct gr_field){0}),
         "GR_FIELD_STRICT beside GR_FIELD_HINTS"},
        {GR_FIELD("a", GR_ARRAY, "d", .flags = GR_FIELD_HINTS,
                  .items = GR_ITEM(GR_STRING, .binds = "room")),
         "row 'a': GR_FIELD_HINTS above rows with .binds"},
        {GR_FIELD("a", GR_ARRAY, "d", .flags = GR_FIELD_REPEATED),
         "GR_FIELD_REPEATED does not fit"},
        {GR_FIELD("a", GR_INT, "d", .range = GR_RANGE(5, 1)), ".range has a minimum above"},
        {GR_FIELD("a", GR_INT, "d", .range = GR_RANGE((double)NAN, 1)),
         ".range has a minimum above"},
        {GR_FIELD("a", GR_BOOL, "d", .range = GR_RANGE(0, 1)), ".range does not fit"},
        {GR_FIELD("a", GR_OBJECT, "d", .range = GR_RANGE(0, 1)), ".range does not fit"},
        {GR_FIELD("a", GR_TIME, "d", .range = GR_RANGE(0, 1)), ".range does not fit"},
        {GR_FIELD("a", GR_STRING, "d", .range = GR_RANGE(-5, -1)), ".range allows no length"},
        {GR_FIELD("a", GR_NUMBER, "d", .multiple_of = 2), ".multiple_of needs GR_INT"},
        {GR_FIELD("a", GR_INT, "d", .multiple_of = 0.5), ".multiple_of is not a whole number"},
        {GR_FIELD("a", GR_INT, "d", .multiple_of = -2), ".multiple_of is not a whole number"},
        {GR_FIELD("a", GR_INT, "d", .multiple_of = (double)INFINITY),
         ".multiple_of is not a whole"},
        {GR_FIELD("a", GR_INT, "d", .values = GR_LIST("x")), ".values needs GR_STRING"},
        {GR_FIELD("a", GR_STRING, "d", .values = (const char *const[]){NULL}), ".values is empty"},
        {GR_FIELD("a", GR_STRING, "d", .values = GR_LIST("x", "y", "x")), ".values has 'x' twice"},
        {GR_FIELD("a", GR_INT, "d", .pattern = "x"), ".pattern needs GR_STRING"},
        {GR_FIELD("a", GR_STRING, "d", .pattern = "(x"), "row 'a': .pattern: missing"},
        {GR_FIELD("a", GR_STRING, "d", .pattern = "\\C"), "row 'a': .pattern: "},
        {GR_FIELD("a", GR_ARRAY, "d", .fields = &(const struct gr_field){0}), ".fields needs"},
        {GR_FIELD("a", GR_STRING, "d", .items = GR_ITEM(GR_INT)), ".items needs"},
        {GR_FIELD("a", GR_OBJECT, "d", .binds = "room"), ".binds needs GR_STRING or GR_INT"},
        {GR_FIELD("a", GR_STRING, "d", .binds = ""), ".binds is empty"},
        {GR_FIELD("a", GR_STRING, "d", .when = GR_WHEN("a", NULL)), ".when names 'a', which is no"},
        {GR_FIELD("a", GR_STRING, "d", .when = GR_WHEN("b", NULL)), ".when names 'b', which is no"},
        {GR_FIELD("a", GR_STRING, "d", .when = GR_WHEN(NULL, NULL)), ".when names no member"},
        {GR_FIELD("a", GR_STRING, "d", .any_of = "x"), ".any_of 'x' has no other row"},
        {GR_FIELD("a", GR_STRING, "d", .any_of = "x", .flags = GR_FIELD_REQUIRED),
         "GR_FIELD_REQUIRED beside"},
        {GR_FIELD("a", GR_STRING, "d", .any_of = "x", .when = GR_WHEN("b", NULL)), ".when beside"},
        {GR_FIELD("a", GR_STRING, "d", .example = "text"), ".example is not JSON"},
        {GR_FIELD("a", GR_ARRAY, "d", .items = GR_ITEM((enum gr_type)0)),
         "row 'a[]': unknown type 0"},
        {GR_FIELD("a", GR_ARRAY, "d", .items = GR_ITEM(GR_INT, .any_of = "x")), "need siblings"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct gr_field rows[] = {cases[i].row, GR_END};
        char *reason = NULL;
        struct grc_schema *rule = grc_schema_members(rows, sizeof(rows[0]), &reason);
        if (rule || !reason || !strstr(reason, cases[i].reason))
            fail_msg("case %zu: '%s', wanted '%s'", i, rule ? "(compiled)" : reason,
                     cases[i].reason);
        free(reason);
    }
}

static void deep_rows_are_named_by_their_path(void **state)
{
    const struct gr_field options[] = {GR_FIELD("text", GR_STRING, "d"),
                                       GR_FIELD("weight", GR_INT, "d", .pattern = "x"), GR_END};
    const struct gr_field questions[] = {
        GR_FIELD("options", GR_ARRAY, "d", .items = GR_ITEM(GR_OBJECT, .fields = options)), GR_END};
    const struct gr_field body = {.type = GR_OBJECT, .fields = questions};
    const struct gr_field twice[] = {GR_FIELD("a", GR_INT, "d"), GR_FIELD("b", GR_INT, "d"),
                                     GR_FIELD("a", GR_INT, "d"), GR_END};
    const struct gr_field number = {.type = GR_BOOL, .pattern = "x"};
    char *reason = NULL;

    (void)state;
    assert_null(grc_schema_value(&body, sizeof(body), &reason));
    assert_string_equal(reason, "row 'options[].weight': .pattern needs GR_STRING");
    free(reason);
    assert_null(grc_schema_members(twice, sizeof(twice[0]), &reason));
    assert_string_equal(reason, "row 'a': another row has the same name");
    free(reason);
    assert_null(grc_schema_value(&number, sizeof(number), &reason));
    assert_string_equal(reason, "the row: .pattern needs GR_STRING");
    free(reason);
}

static const struct gr_field loop[2] = {GR_FIELD("again", GR_OBJECT, "d", .fields = loop), GR_END};
static const struct gr_field item = {.type = GR_ARRAY, .items = &item};

static void rows_that_contain_themselves_are_refused(void **state)
{
    char *reason = NULL;

    (void)state;
    assert_null(grc_schema_members(loop, sizeof(loop[0]), &reason));
    assert_non_null(strstr(reason, "nested more than 16 levels"));
    free(reason);
    assert_null(grc_schema_value(&item, sizeof(item), &reason));
    assert_non_null(strstr(reason, "nested more than 16 levels"));
    free(reason);
}

/* A row as in a plugin of an earlier ABI, which ends after .doc. */
struct short_field {
    const char *name;
    enum gr_type type;
    unsigned flags;
    const char *doc;
};

static void shorter_rows_are_widened(void **state)
{
    static const struct short_field rows[] = {
        {"a", GR_INT, GR_FIELD_REQUIRED, "d"}, {"b", GR_STRING, 0, "d"}, {0}};
    char *reason = NULL;

    (void)state;
    struct grc_schema *rule =
        grc_schema_members((const struct gr_field *)(const void *)rows, sizeof(rows[0]), &reason);
    assert_non_null(rule);
    const struct gr_field *wide = grc_schema_rows(rule);
    assert_string_equal(wide[0].name, "a");
    assert_int_equal(wide[0].flags, GR_FIELD_REQUIRED);
    assert_string_equal(wide[1].name, "b");
    assert_null(wide[0].range);
    assert_null(wide[1].example);
    assert_null(wide[2].name);
    assert_int_equal(wide[2].type, 0);
    grc_schema_free(rule);
}

static void copies_point_at_copies(void **state)
{
    const struct gr_field inner[] = {GR_FIELD("x", GR_INT, "d"), GR_END};
    const struct gr_field body = {.type = GR_OBJECT, .fields = inner};
    char *reason = NULL;

    (void)state;
    struct grc_schema *rule = grc_schema_value(&body, sizeof(body), &reason);
    assert_non_null(rule);
    const struct gr_field *copy = grc_schema_rows(rule);
    assert_ptr_not_equal(copy->fields, inner);
    assert_string_equal(copy->fields[0].name, "x");
    assert_null(copy->fields[1].name);
    grc_schema_free(rule);
    grc_schema_free(NULL);
}

static void queries_are_flat(void **state)
{
    const struct gr_field rows[] = {GR_FIELD("a", GR_TIME, "d"), GR_FIELD("b", GR_ARRAY, "d"),
                                    GR_END};
    char *reason = NULL;

    (void)state;
    struct grc_schema *rule = grc_schema_members(rows, sizeof(rows[0]), &reason);
    assert_non_null(rule);
    assert_string_equal(grc_schema_not_flat(rule), "b");
    grc_schema_free(rule);
    rule = grc_schema_members(rows + 2, sizeof(rows[0]), &reason);
    assert_non_null(rule);
    assert_null(grc_schema_not_flat(rule));
    grc_schema_free(rule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_rows_are_named),
        cmocka_unit_test(deep_rows_are_named_by_their_path),
        cmocka_unit_test(rows_that_contain_themselves_are_refused),
        cmocka_unit_test(shorter_rows_are_widened),
        cmocka_unit_test(copies_point_at_copies),
        cmocka_unit_test(queries_are_flat),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
