/* The text of SQL statements: how parameters are numbered, and what kind a statement is. */
#include "store/sql.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void translated(const char *sql, const char *wanted, unsigned wanted_highest)
{
    struct grc_buf buf;
    unsigned highest = 99;

    grc_buf_init(&buf, 4096);
    assert_int_equal(grc_sql_dollars(&buf, sql, &highest), GR_OK);
    assert_string_equal(buf.ptr, wanted);
    assert_int_equal(highest, wanted_highest);
    grc_buf_done(&buf);
}

static void test_translation(void **state)
{
    unsigned highest;
    struct grc_buf buf;

    (void)state;
    translated("SELECT ?1", "SELECT $1", 1);
    translated("?12?3", "$12$3", 12);
    translated("SELECT '?1', ?1", "SELECT '?1', $1", 1);
    translated("'it''s ?1' ?2", "'it''s ?1' $2", 2);
    translated("E'\\'?1' ?2", "E'\\'?1' $2", 2);
    translated("'\\' ?1", "'\\' $1", 1);
    translated("type'\\' ?1", "type'\\' $1", 1);
    translated("\"a\"\"?1\" ?2", "\"a\"\"?1\" $2", 2);
    translated("-- ?1\n?2", "-- ?1\n$2", 2);
    translated("/* ?1 /* ?2 */ ?3 */ ?4", "/* ?1 /* ?2 */ ?3 */ $4", 4);
    translated("$$ ?1 $$ ?2", "$$ ?1 $$ $2", 2);
    translated("$a$ $$ ?1 $a$ ?2", "$a$ $$ ?1 $a$ $2", 2);
    translated("a$b$ ?1", "a$b$ $1", 1);
    translated("a ? 'b' - ?1/?2", "a ? 'b' - $1/$2", 2);
    translated("'open ?1", "'open ?1", 0);
    translated("/* open ?1", "/* open ?1", 0);
    translated("", "", 0);
    grc_buf_init(&buf, 4096);
    assert_int_equal(grc_sql_dollars(&buf, "?0", &highest), GR_ERR_INVALID);
    assert_int_equal(grc_sql_dollars(&buf, "?99999999999999999999", &highest), GR_ERR_INVALID);
    grc_buf_done(&buf);
}

static void test_kinds_of_statements(void **state)
{
    (void)state;
    assert_int_equal(grc_sql_kind_of("SELECT 1"), GRC_SQL_READ);
    assert_int_equal(grc_sql_kind_of("\n /* INSERT */ -- x\n select 1"), GRC_SQL_READ);
    assert_int_equal(grc_sql_kind_of("selection"), GRC_SQL_OTHER);
    assert_int_equal(grc_sql_kind_of("with x as (select 1) delete from y"), GRC_SQL_CHANGE);
    assert_int_equal(grc_sql_kind_of("Insert into x values (1)"), GRC_SQL_CHANGE);
    assert_int_equal(grc_sql_kind_of("CREATE TABLE x (a)"), GRC_SQL_OTHER);
    assert_int_equal(grc_sql_kind_of(""), GRC_SQL_OTHER);
}

static void summed_up(const char *sql, const char *operation, const char *table)
{
    char found_operation[8];
    char found_table[8];

    grc_sql_summary(sql, found_operation, sizeof(found_operation), found_table,
                    sizeof(found_table));
    assert_string_equal(found_operation, operation);
    assert_string_equal(found_table, table);
}

static void test_summaries_hold_no_values(void **state)
{
    (void)state;
    summed_up("SELECT a FROM rooms WHERE b = 'secret'", "SELECT", "rooms");
    summed_up(" -- from x\n insert INTO \"rooms\" VALUES ('from y')", "INSERT", "rooms");
    summed_up("UPDATE rooms SET a = 'x'", "UPDATE", "rooms");
    summed_up("DELETE FROM rooms", "DELETE", "rooms");
    summed_up("SELECT 'from x', fromage", "SELECT", "");
    summed_up("SELECT a FROM /* all */ a_long_name", "SELECT", "a_long_");
    summed_up("SELECT * FROM (SELECT 1)", "SELECT", "");
    summed_up("'secret'", "", "");
    summed_up("", "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_translation),
        cmocka_unit_test(test_kinds_of_statements),
        cmocka_unit_test(test_summaries_hold_no_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
