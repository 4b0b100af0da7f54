/* validate/schema.h: rules for JSON and for pairs, and what is derived from a rule. */
#include "base/json.h"
#include "base/thread.h"
#include "validate/schema.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIELD_SIZE sizeof(struct gr_field)

static struct grc_arena arena;
static struct grc_problems problems;

static int setup(void **state)
{
    (void)state;
    grc_arena_init(&arena, 1 << 20);
    problems = (struct grc_problems){.arena = &arena, .max = 100};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    grc_arena_done(&arena);
    return 0;
}

static void reset_problems(size_t max)
{
    grc_arena_reset(&arena);
    problems = (struct grc_problems){.arena = &arena, .max = max};
}

static struct grc_schema *value_rule(const struct gr_field *row)
{
    char *reason = NULL;
    struct grc_schema *rule = grc_schema_value(row, FIELD_SIZE, &reason);

    if (!rule)
        fail_msg("refused: %s", reason);
    return rule;
}

static struct grc_schema *members_rule(const struct gr_field *rows)
{
    char *reason = NULL;
    struct grc_schema *rule = grc_schema_members(rows, FIELD_SIZE, &reason);

    if (!rule)
        fail_msg("refused: %s", reason);
    return rule;
}

/* Returns all problems as lines of the form "where: kind expected". */
static const char *listing(void)
{
    static const char *const kinds[] = {"?",   "missing", "type", "min",
                                        "max", "value",   "text", "unknown"};
    const char *text = "";

    for (size_t i = 0; i < problems.count; i++) {
        const struct gr_problem *problem = &problems.list[i];
        text = grc_arena_format(&arena, "%s%s%s: %s: %s", text, i ? "\n" : "", problem->where,
                                kinds[problem->kind], problem->expected);
        assert_non_null(text);
    }
    return text;
}

struct json_case {
    const char *json;
    const char *problems; /* "": fine */
};

static void check_json_cases(const struct grc_schema *rule, const struct json_case *cases,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *reason = NULL;
        json_t *value = grc_json_parse(gr_str_of(cases[i].json), 64, &reason);
        if (!value)
            fail_msg("'%s': %s", cases[i].json, reason);
        reset_problems(100);
        enum gr_err err = grc_schema_check_json(rule, NULL, value, &problems);
        const char *found = listing();
        if (strcmp(found, cases[i].problems) != 0)
            fail_msg("%s\n  found:  '%s'\n  wanted: '%s'", cases[i].json, found, cases[i].problems);
        assert_int_equal(err, cases[i].problems[0] ? GR_ERR_INVALID : GR_OK);
        for (size_t j = 0; j < problems.count; j++)
            assert_string_equal(problems.list[j].in, "body");
        json_decref(value);
    }
}

#define CHECK(rule, ...)                                                                           \
    do {                                                                                           \
        static const struct json_case cases_[] = {__VA_ARGS__};                                    \
        check_json_cases((rule), cases_, COUNT(cases_));                                           \
    } while (0)

static void types(void **state)
{
    const struct gr_field rows[] = {
        GR_FIELD("any", GR_ANY, "d"),       GR_FIELD("string", GR_STRING, "d"),
        GR_FIELD("int", GR_INT, "d"),       GR_FIELD("number", GR_NUMBER, "d"),
        GR_FIELD("bool", GR_BOOL, "d"),     GR_FIELD("time", GR_TIME, "d"),
        GR_FIELD("object", GR_OBJECT, "d"), GR_FIELD("array", GR_ARRAY, "d"),
        GR_FIELD("map", GR_MAP, "d"),       GR_END,
    };
    struct grc_schema *rule = value_rule(GR_BODY(GR_OBJECT, .fields = rows));

    (void)state;
    CHECK(rule, {"{}", ""},
          {"{\"any\":[1],\"string\":\"\",\"int\":-3,\"number\":1,\"bool\":false,"
           "\"time\":\"2026-01-02T03:04:05Z\",\"object\":{\"x\":1},\"array\":[null,1],\"map\":{}}",
           ""},
          {"{\"number\":1.5,\"int\":9223372036854775807,\"unknown\":{}}", ""},
          {"{\"any\":null,\"string\":null,\"int\":null,\"number\":null,\"bool\":null,\"time\":null,"
           "\"object\":null,\"array\":null,\"map\":null}",
           ""},
          {"{\"string\":1}", "string: type: a string"}, {"{\"int\":1.0}", "int: type: an integer"},
          {"{\"int\":\"1\"}", "int: type: an integer"}, {"{\"int\":1e2}", "int: type: an integer"},
          {"{\"number\":\"1\"}", "number: type: a number"},
          {"{\"bool\":0}", "bool: type: true or false"},
          {"{\"bool\":\"true\"}", "bool: type: true or false"},
          {"{\"time\":0}", "time: type: an RFC 3339 timestamp"},
          {"{\"time\":\"2026-01-02\"}", "time: value: an RFC 3339 timestamp"},
          {"{\"object\":[]}", "object: type: an object"},
          {"{\"array\":{}}", "array: type: an array"}, {"{\"map\":[]}", "map: type: an object"},
          {"{\"int\":true,\"bool\":1}", "int: type: an integer\nbool: type: true or false"},
          {"[]", ": type: an object"}, {"null", ": type: an object"}, {"1", ": type: an object"});
    grc_schema_free(rule);
}

static void numbers(void **state)
{
    const struct gr_field rows[] = {
        GR_FIELD("a", GR_INT, "d", .range = GR_RANGE(1, 5)),
        GR_FIELD("b", GR_INT, "d", .range = GR_MIN(500)),
        GR_FIELD("c", GR_INT, "d", .range = GR_MAX(-1)),
        GR_FIELD("d", GR_INT, "d", .range = GR_RANGE(5, 3600), .multiple_of = 5),
        GR_FIELD("e", GR_INT, "d", .multiple_of = 3),
        GR_FIELD("f", GR_NUMBER, "d", .range = GR_RANGE(0.1, 1)),
        GR_FIELD("g", GR_INT, "d", .range = GR_RANGE(0, 253402300799.0)),
        GR_FIELD("h", GR_INT, "d", .range = GR_RANGE(7, 7)),
        GR_END,
    };
    struct grc_schema *rule = members_rule(rows);

    (void)state;
    CHECK(rule, {"{\"a\":1,\"b\":500,\"c\":-1,\"d\":3600,\"e\":-9,\"f\":0.1,\"g\":0,\"h\":7}", ""},
          {"{\"a\":5,\"d\":5,\"e\":0,\"f\":1}", ""},
          {"{\"a\":0}", "a: min: an integer from 1 to 5"},
          {"{\"a\":6}", "a: max: an integer from 1 to 5"},
          {"{\"a\":-9223372036854775808}", "a: min: an integer from 1 to 5"},
          {"{\"b\":499}", "b: min: an integer of at least 500"},
          {"{\"c\":0}", "c: max: an integer of at most -1"},
          {"{\"d\":7}", "d: value: a multiple of 5 from 5 to 3600"},
          {"{\"d\":3605}", "d: max: a multiple of 5 from 5 to 3600"},
          {"{\"e\":-8}", "e: value: a multiple of 3"},
          {"{\"f\":0.0999}", "f: min: a number from 0.1 to 1"},
          {"{\"f\":1.0001}", "f: max: a number from 0.1 to 1"},
          {"{\"g\":253402300800}", "g: max: an integer from 0 to 253402300799"},
          {"{\"h\":8}", "h: max: an integer that is 7"}, {"[1]", ": type: an object"});
    grc_schema_free(rule);
}

static void strings(void **state)
{
    const struct gr_field rows[] = {
        GR_FIELD("a", GR_STRING, "d", .range = GR_MAX(3)),
        GR_FIELD("b", GR_STRING, "d", .range = GR_MIN(1)),
        GR_FIELD("c", GR_STRING, "d", .range = GR_RANGE(2, 4)),
        GR_FIELD("d", GR_STRING, "d", .range = GR_RANGE(2, 2)),
        GR_FIELD("e", GR_STRING, "d", .values = GR_LIST("auto", "manual")),
        GR_FIELD("f", GR_STRING, "d", .values = GR_LIST("vp8")),
        GR_FIELD("g", GR_STRING, "d", .pattern = "[a-z]+"),
        GR_FIELD("h", GR_STRING, "d", .pattern = "^[0-9*#a-d]$", .range = GR_RANGE(1, 1)),
        GR_FIELD("i", GR_STRING, "d", .pattern = "a|ab"),
        GR_FIELD("j", GR_STRING, "d", .pattern = ".\\d"),
        GR_FIELD("k", GR_STRING, "d", .range = GR_RANGE(0, 5)),
        GR_END,
    };
    struct grc_schema *rule = value_rule(GR_BODY(GR_OBJECT, .fields = rows));

    (void)state;
    CHECK(rule, {"{\"a\":\"\",\"b\":\"x\",\"c\":\"abcd\",\"d\":\"xy\",\"e\":\"manual\"}", ""},
          /* code points, not bytes */
          {"{\"a\":\"\\u00e4\\u20ac\\ud83c\\udfa5\",\"d\":\"\xc3\xa4\xc3\xa4\"}", ""},
          {"{\"a\":\"abcd\"}", "a: max: a string of at most 3 characters"},
          {"{\"b\":\"\"}", "b: min: a string of at least 1 character"},
          {"{\"c\":\"a\"}", "c: min: a string of 2 to 4 characters"},
          {"{\"d\":\"abc\"}", "d: max: a string of exactly 2 characters"},
          {"{\"e\":\"Auto\"}", "e: value: one of 'auto', 'manual'"},
          {"{\"e\":\"\"}", "e: value: one of 'auto', 'manual'"},
          {"{\"e\":\"auto \"}", "e: value: one of 'auto', 'manual'"},
          {"{\"e\":1}", "e: type: one of 'auto', 'manual'"}, {"{\"f\":\"vp9\"}", "f: value: 'vp8'"},
          {"{\"g\":\"abc\",\"h\":\"#\",\"i\":\"ab\",\"j\":\"\\u20ac7\"}", ""},
          {"{\"g\":\"abc\\n\"}", "g: value: a string that matches [a-z]+"},
          {"{\"g\":\"1abc\"}", "g: value: a string that matches [a-z]+"},
          {"{\"g\":\"\"}", "g: value: a string that matches [a-z]+"},
          {"{\"h\":\"\"}", "h: min: a string of exactly 1 character that matches ^[0-9*#a-d]$"},
          {"{\"h\":\"1\\n\"}", "h: max: a string of exactly 1 character that matches ^[0-9*#a-d]$"},
          {"{\"i\":\"abc\"}", "i: value: a string that matches a|ab"},
          /* digits are those of ASCII */
          {"{\"j\":\"a\\u0663\"}", "j: value: a string that matches .\\d"},
          {"{\"k\":\"123456\"}", "k: max: a string of at most 5 characters"});
    grc_schema_free(rule);
}

static void costly_patterns_end(void **state)
{
    /* Without a limit, the matcher would try more than 10^12 ways to divide the text. */
    const struct gr_field row = {.type = GR_STRING, .pattern = "(a|aa)+[bc]"};
    struct grc_schema *rule = value_rule(&row);
    char text[64];

    (void)state;
    memset(text, 'a', sizeof(text) - 2);
    text[sizeof(text) - 2] = 'd';
    text[sizeof(text) - 1] = '\0';
    json_t *value = json_string(text);
    clock_t start = clock();
    assert_int_equal(grc_schema_check_json(rule, NULL, value, &problems), GR_ERR_INVALID);
    assert_true(clock() - start < CLOCKS_PER_SEC);
    assert_int_equal(problems.list[0].kind, GR_PROBLEM_VALUE);
    json_decref(value);
    grc_schema_free(rule);
}

static void presence(void **state)
{
    const struct gr_field inner[] = {GR_FIELD("id", GR_STRING, "d", .flags = GR_FIELD_REQUIRED),
                                     GR_END};
    const struct gr_field rows[] = {
        GR_FIELD("a", GR_STRING, "d", .flags = GR_FIELD_REQUIRED),
        GR_FIELD("b", GR_INT, "d", .flags = GR_FIELD_NOT_NULL),
        GR_FIELD("c", GR_OBJECT, "d", .fields = inner),
        GR_FIELD("d", GR_ANY, "d", .flags = GR_FIELD_NOT_NULL),
        GR_FIELD("e", GR_ANY, "d"),
        GR_END,
    };
    struct grc_schema *rule = value_rule(GR_BODY(GR_OBJECT, .fields = rows));

    (void)state;
    CHECK(rule, {"{\"a\":\"\"}", ""}, {"{}", "a: missing: required"},
          {"{\"a\":null}", "a: missing: required"}, {"{\"a\":1}", "a: type: a string"},
          {"{\"a\":\"x\",\"b\":null}", "b: type: an integer"}, {"{\"a\":\"x\",\"c\":null}", ""},
          {"{\"a\":\"x\",\"c\":{}}", "c.id: missing: required"},
          {"{\"a\":\"x\",\"d\":null,\"e\":null}", "d: type: a value"},
          {"{\"c\":{\"id\":null},\"b\":\"\"}",
           "a: missing: required\nb: type: an integer\nc.id: missing: required"});
    /* no body at all */
    reset_problems(10);
    assert_int_equal(grc_schema_check_json(rule, NULL, NULL, &problems), GR_ERR_INVALID);
    assert_string_equal(listing(), "a: missing: required");
    grc_schema_free(rule);
}

static void absent_bodies(void **state)
{
    const struct gr_field rows[] = {GR_FIELD("a", GR_INT, "d"), GR_END};
    const struct {
        struct gr_field row;
        const char *problems;
    } cases[] = {
        {{.type = GR_OBJECT, .fields = rows}, ""},
        {{.type = GR_OBJECT, .fields = rows, .flags = GR_FIELD_REQUIRED}, ": missing: required"},
        {{.type = GR_ARRAY}, ""},
        {{.type = GR_ARRAY, .range = GR_MIN(1)}, ": min: an array of at least 1 element"},
        {{.type = GR_STRING}, ""},
        {{.type = GR_STRING, .flags = GR_FIELD_REQUIRED}, ": missing: required"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct grc_schema *rule = value_rule(&cases[i].row);
        reset_problems(10);
        enum gr_err err = grc_schema_check_json(rule, NULL, NULL, &problems);
        assert_string_equal(listing(), cases[i].problems);
        assert_int_equal(err, cases[i].problems[0] ? GR_ERR_INVALID : GR_OK);
        grc_schema_free(rule);
    }
}

static void arrays_maps_and_places(void **state)
{
    const struct gr_field option[] = {
        GR_FIELD("text", GR_STRING, "d", .flags = GR_FIELD_REQUIRED),
        GR_FIELD("weight", GR_INT, "d", .range = GR_RANGE(1, 5)),
        GR_END,
    };
    const struct gr_field question[] = {
        GR_FIELD("options", GR_ARRAY, "d", .range = GR_RANGE(1, 2),
                 .items = GR_ITEM(GR_OBJECT, .fields = option)),
        GR_END,
    };
    const struct gr_field rows[] = {
        GR_FIELD("questions", GR_ARRAY, "d", .items = GR_ITEM(GR_OBJECT, .fields = question)),
        GR_FIELD("tags", GR_MAP, "d", .range = GR_MAX(2),
                 .items = GR_ITEM(GR_STRING, .flags = GR_FIELD_NOT_NULL, .range = GR_MAX(3))),
        GR_FIELD("time", GR_ARRAY, "d", .range = GR_RANGE(2, 2), .items = GR_ITEM(GR_INT)),
        GR_FIELD("ids", GR_ARRAY, "d", .items = GR_ITEM(GR_STRING, .flags = GR_FIELD_REQUIRED)),
        GR_FIELD("grid", GR_ARRAY, "d",
                 .items = GR_ITEM(GR_ARRAY, .items = GR_ITEM(GR_BOOL, .flags = GR_FIELD_NOT_NULL))),
        GR_END,
    };
    struct grc_schema *rule = value_rule(GR_BODY(GR_OBJECT, .fields = rows));

    (void)state;
    CHECK(rule,
          {"{\"questions\":[{},{\"options\":[{\"text\":\"a\"},{\"text\":\"b\",\"weight\":5}]}],"
           "\"tags\":{\"a\":\"x\"},\"time\":[1,null],\"grid\":[[true],[]]}",
           ""},
          {"{\"questions\":[{},{},{\"options\":[{\"weight\":9}]}]}",
           "questions[2].options[0].text: missing: required\n"
           "questions[2].options[0].weight: max: an integer from 1 to 5"},
          {"{\"questions\":[{\"options\":[]}]}",
           "questions[0].options: min: an array of 1 to 2 elements"},
          /* too many: one problem, the elements are not looked at */
          {"{\"questions\":[{\"options\":[1,2,3]}]}",
           "questions[0].options: max: an array of 1 to 2 elements"},
          {"{\"questions\":[1,null,{\"options\":2}]}",
           "questions[0]: type: an object\n"
           "questions[2].options: type: an array of 1 to 2 elements"},
          {"{\"tags\":{\"a\":1,\"b\":null}}", "tags.a: type: a string of at most 3 characters\n"
                                              "tags.b: type: a string of at most 3 characters"},
          {"{\"tags\":{\"a\":1,\"b\":2,\"c\":3}}", "tags: max: an object of at most 2 members"},
          {"{\"time\":[1]}", "time: min: an array of exactly 2 elements"},
          {"{\"time\":[1,2.5]}", "time[1]: type: an integer"},
          {"{\"ids\":[\"a\",null]}", "ids[1]: missing: required"},
          {"{\"grid\":[[true],[false,0]]}", "grid[1][1]: type: true or false"},
          {"{\"grid\":[[null]]}", "grid[0][0]: type: true or false"});
    grc_schema_free(rule);

    const struct gr_field list = {.type = GR_ARRAY, .items = GR_ITEM(GR_INT)};
    rule = value_rule(&list);
    CHECK(rule, {"[1,2]", ""}, {"[1,\"2\"]", "[1]: type: an integer"}, {"{}", ": type: an array"});
    grc_schema_free(rule);
}

static void names_from_clients_are_cleaned(void **state)
{
    const struct gr_field row = {.type = GR_MAP, .items = GR_ITEM(GR_INT)};
    struct grc_schema *rule = value_rule(&row);

    (void)state;
    CHECK(rule, {"{\"a b\":\"\"}", "a b: type: an integer"},
          {"{\"a\\nb\\u007f\":\"\"}", "a?b?: type: an integer"},
          {"{\"\":\"\"}", ": type: an integer"},
          {"{\"0123456789012345678901234567890123456789012345678901234567890123\":\"\"}",
           "0123456789012345678901234567890123456789012345678901234567890123: type: an integer"},
          {"{\"01234567890123456789012345678901234567890123456789012345678901234\":\"\"}",
           "0123456789012345678901234567890123456789012345678901234567890123...: type: an integer"},
          /* not cut inside of a code point */
          {"{\"012345678901234567890123456789012345678901234567890123456789012\\u00e4\":\"\"}",
           "012345678901234567890123456789012345678901234567890123456789012...: type: an integer"});
    grc_schema_free(rule);
}

static void unknown_members(void **state)
{
    const struct gr_field inner[] = {GR_FIELD("x", GR_INT, "d"), GR_END};
    const struct gr_field rows[] = {
        GR_FIELD("a", GR_INT, "d"),
        GR_FIELD("b", GR_OBJECT, "d", .flags = GR_FIELD_STRICT, .fields = inner),
        GR_END,
    };
    struct grc_schema *rule =
        value_rule(GR_BODY(GR_OBJECT, .fields = rows, .flags = GR_FIELD_STRICT));
    struct grc_schema *loose = value_rule(GR_BODY(GR_OBJECT, .fields = rows));

    (void)state;
    CHECK(rule, {"{\"a\":1,\"b\":{\"x\":1}}", ""},
          {"{\"aa\":1}", "aa: unknown: no member of this name"},
          {"{\"b\":{\"y\":1}}", "b.y: unknown: no member of this name"});
    CHECK(loose, {"{\"c\":1}", ""}, {"{\"b\":{\"y\":1}}", "b.y: unknown: no member of this name"});
    grc_schema_free(rule);
    grc_schema_free(loose);
}

static gr_check_fn never_right;
static enum gr_err never_right(struct gr_call *call, const json_t *parent, const json_t *value)
{
    (void)call;
    (void)parent;
    (void)value;
    return GR_ERR_INVALID;
}

static void hints_are_for_readers(void **state)
{
    const struct gr_field inner[] = {
        GR_FIELD("x", GR_INT, "d", .flags = GR_FIELD_REQUIRED, .range = GR_RANGE(1, 5)),
        GR_END,
    };
    const struct gr_field rows[] = {
        GR_FIELD("n", GR_INT, "d", .flags = GR_FIELD_HINTS, .range = GR_RANGE(1, 5),
                 .multiple_of = 5),
        GR_FIELD("s", GR_STRING, "d", .flags = GR_FIELD_HINTS, .values = GR_LIST("in", "us"),
                 .pattern = "[a-z]+"),
        GR_FIELD("t", GR_TIME, "d", .flags = GR_FIELD_HINTS),
        GR_FIELD("o", GR_OBJECT, "d", .flags = GR_FIELD_HINTS | GR_FIELD_REQUIRED, .fields = inner),
        GR_FIELD("a", GR_ARRAY, "d", .flags = GR_FIELD_HINTS, .range = GR_RANGE(1, 1),
                 .items = GR_ITEM(GR_OBJECT, .fields = inner)),
        GR_FIELD("c", GR_INT, "d", .flags = GR_FIELD_HINTS, .check = never_right),
        GR_END,
    };
    struct grc_schema *rule = value_rule(GR_BODY(GR_OBJECT, .fields = rows));
    struct grc_schema *whole =
        value_rule(GR_BODY(GR_OBJECT, .flags = GR_FIELD_HINTS, .fields = rows));

    (void)state;
    CHECK(
        rule, {"{\"o\":{}}", ""}, {"{\"o\":{\"x\":\"y\"},\"n\":7,\"s\":\"EU\",\"t\":\"20XX\"}", ""},
        {"{\"o\":{},\"a\":[]}", ""}, {"{\"o\":{},\"a\":[1,{\"x\":9}]}", ""},
        {"{}", "o: missing: required"}, {"{\"o\":[]}", "o: type: an object"},
        {"{\"o\":{},\"n\":\"7\"}", "n: type: an integer"},
        {"{\"o\":{},\"s\":7}", "s: type: a string"}, {"{\"o\":{},\"a\":{}}", "a: type: an array"});
    CHECK(whole, {"{}", ""}, {"{\"n\":\"7\",\"o\":[]}", ""}, {"[]", ": type: an object"});
    grc_schema_free(rule);
    grc_schema_free(whole);
}

static void conditions_between_siblings(void **state)
{
    const struct gr_field rows[] = {
        GR_FIELD("type", GR_STRING, "d"),
        GR_FIELD("answer", GR_INT, "d", .when = GR_WHEN("type", "quiz")),
        GR_FIELD("on", GR_BOOL, "d"),
        GR_FIELD("count", GR_INT, "d", .when = GR_WHEN("on", "true")),
        GR_FIELD("level", GR_INT, "d", .when = GR_WHEN("count", "3")),
        GR_FIELD("url", GR_STRING, "d"),
        GR_FIELD("key", GR_STRING, "d", .when = GR_WHEN("url", NULL)),
        GR_FIELD("user", GR_STRING, "d", .any_of = "who"),
        GR_FIELD("peer", GR_STRING, "d", .any_of = "who"),
        GR_END,
    };
    struct grc_schema *rule = value_rule(GR_BODY(GR_OBJECT, .fields = rows));

    (void)state;
    CHECK(rule, {"{\"user\":\"\"}", ""}, {"{\"peer\":\"\",\"type\":\"poll\"}", ""},
          {"{\"peer\":\"x\",\"user\":\"x\",\"type\":\"quiz\",\"answer\":1}", ""},
          {"{}", "user: missing: at least one of 'user', 'peer'"},
          {"{\"user\":null}", "user: missing: at least one of 'user', 'peer'"},
          {"{\"user\":\"x\",\"type\":\"quiz\"}", "answer: missing: required when 'type' is 'quiz'"},
          {"{\"user\":\"x\",\"type\":\"quiz\",\"answer\":null}",
           "answer: missing: required when 'type' is 'quiz'"},
          {"{\"user\":\"x\",\"on\":true}", "count: missing: required when 'on' is 'true'"},
          {"{\"user\":\"x\",\"on\":false}", ""},
          {"{\"user\":\"x\",\"count\":3}", "level: missing: required when 'count' is '3'"},
          {"{\"user\":\"x\",\"count\":4}", ""},
          {"{\"user\":\"x\",\"url\":\"\"}", "key: missing: required when 'url' is given"},
          {"{\"user\":\"x\",\"url\":null}", ""});
    grc_schema_free(rule);
}

/* --- check functions --- */

static unsigned checks_run;

static enum gr_err check_even(struct gr_call *call, const json_t *parent, const json_t *value)
{
    (void)call;
    (void)parent;
    checks_run++;
    return json_integer_value(value) % 2 == 0 ? GR_OK : GR_ERR_INVALID;
}

static enum gr_err check_order(struct gr_call *call, const json_t *parent, const json_t *value)
{
    (void)call;
    return json_integer_value(json_object_get(parent, "low")) <= json_integer_value(value)
               ? GR_OK
               : GR_ERR_INVALID;
}

static enum gr_err check_broken(struct gr_call *call, const json_t *parent, const json_t *value)
{
    (void)call;
    (void)parent;
    (void)value;
    return GR_ERR_STORE_DOWN;
}

/* Does what the host's gr_invalid() does, with paths relative to the value. */
static enum gr_err check_inside(struct gr_call *call, const json_t *parent, const json_t *value)
{
    (void)call;
    (void)parent;
    (void)value;
    assert_int_equal(grc_problem_add(&problems, "?", "", GR_PROBLEM_VALUE, "a"), GR_OK);
    assert_int_equal(grc_problem_add(&problems, "?", "x", GR_PROBLEM_VALUE, "b"), GR_OK);
    assert_int_equal(grc_problem_add(&problems, "?", "[1]", GR_PROBLEM_VALUE, "c"), GR_OK);
    return GR_ERR_INVALID;
}

static enum gr_err run_json(const struct grc_schema *rule, const char *text)
{
    json_t *value = grc_json_parse(gr_str_of(text), 64, NULL);

    assert_non_null(value);
    reset_problems(10);
    enum gr_err err = grc_schema_check_json(rule, NULL, value, &problems);
    json_decref(value);
    return err;
}

static void check_problems_get_their_place(void **state)
{
    const struct gr_field rows[] = {
        GR_FIELD("list", GR_ARRAY, "d", .items = GR_ITEM(GR_OBJECT, .check = check_inside)),
        GR_END,
    };
    struct grc_schema *rule = value_rule(GR_BODY(GR_OBJECT, .fields = rows));
    struct grc_schema *root = value_rule(GR_BODY(GR_OBJECT, .check = check_inside));

    (void)state;
    assert_int_equal(run_json(rule, "{\"list\":[{}]}"), GR_ERR_INVALID);
    assert_int_equal(problems.count, 3);
    assert_string_equal(problems.list[0].where, "list[0]");
    assert_string_equal(problems.list[1].where, "list[0].x");
    assert_string_equal(problems.list[2].where, "list[0][1]");
    assert_string_equal(problems.list[0].in, "body");
    assert_int_equal(run_json(root, "{}"), GR_ERR_INVALID);
    assert_string_equal(problems.list[0].where, "");
    assert_string_equal(problems.list[1].where, "x");
    grc_schema_free(root);
    grc_schema_free(rule);
}

static void check_functions(void **state)
{
    const struct gr_field rows[] = {
        GR_FIELD("even", GR_INT, "d", .range = GR_MAX(10), .check = check_even),
        GR_FIELD("low", GR_INT, "d"),
        GR_FIELD("high", GR_INT, "d", .check = check_order),
        GR_FIELD("broken", GR_INT, "d", .check = check_broken),
        GR_END,
    };
    struct grc_schema *rule = value_rule(GR_BODY(GR_OBJECT, .fields = rows));

    (void)state;
    checks_run = 0;
    assert_int_equal(run_json(rule, "{\"even\":2}"), GR_OK);
    assert_int_equal(run_json(rule, "{\"even\":3}"), GR_ERR_INVALID);
    assert_int_equal(problems.count, 0); /* it would have named the member itself */
    assert_int_equal(checks_run, 2);
    /* absent, null, of another type, out of range: nothing to check */
    assert_int_equal(run_json(rule, "{\"even\":null}"), GR_OK);
    assert_int_equal(run_json(rule, "{}"), GR_OK);
    assert_int_equal(run_json(rule, "{\"even\":\"x\"}"), GR_ERR_INVALID);
    assert_int_equal(run_json(rule, "{\"even\":11}"), GR_ERR_INVALID);
    assert_int_equal(checks_run, 2);
    assert_int_equal(run_json(rule, "{\"low\":1,\"high\":2}"), GR_OK);
    assert_int_equal(run_json(rule, "{\"low\":3,\"high\":2}"), GR_ERR_INVALID);
    assert_int_equal(run_json(rule, "{\"broken\":2,\"even\":3}"), GR_ERR_STORE_DOWN);
    /* an earlier problem does not keep later members from being checked */
    assert_int_equal(run_json(rule, "{\"even\":11,\"low\":3,\"high\":2}"), GR_ERR_INVALID);
    grc_schema_free(rule);
}

static void problems_are_bounded(void **state)
{
    const struct gr_field row = {.type = GR_ARRAY, .items = GR_ITEM(GR_INT)};
    struct grc_schema *rule = value_rule(&row);
    json_t *value = json_array();

    (void)state;
    for (int i = 0; i < 1000; i++)
        json_array_append_new(value, json_true());
    reset_problems(20);
    assert_int_equal(grc_schema_check_json(rule, NULL, value, &problems), GR_ERR_INVALID);
    assert_int_equal(problems.count, 20);
    assert_int_equal(problems.total, 1000);
    assert_string_equal(problems.list[19].where, "[19]");
    reset_problems(0);
    assert_int_equal(grc_schema_check_json(rule, NULL, value, &problems), GR_ERR_INVALID);
    assert_int_equal(problems.count, 0);
    /* memory runs out */
    struct grc_arena small;
    grc_arena_init(&small, 512);
    struct grc_problems tight = {.arena = &small, .max = 1000};
    assert_int_equal(grc_schema_check_json(rule, NULL, value, &tight), GR_ERR_NO_MEMORY);
    grc_arena_done(&small);
    json_decref(value);
    grc_schema_free(rule);
}

/* --- pairs --- */

#define PAIR(name_, value_)                                                                        \
    {                                                                                              \
        {(name_), sizeof(name_) - 1},                                                              \
        {                                                                                          \
            (value_), sizeof(value_) - 1                                                           \
        }                                                                                          \
    }

struct pair_case {
    struct gr_pair pairs[4];
    const char *problems;
};

static void check_pair_cases(const struct grc_schema *rule, const char *in,
                             const struct pair_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t pairs = 0;
        while (pairs < 4 && cases[i].pairs[pairs].name.ptr)
            pairs++;
        reset_problems(100);
        enum gr_err err = grc_schema_check_pairs(rule, NULL, in, cases[i].pairs, pairs, &problems);
        const char *found = listing();
        if (strcmp(found, cases[i].problems) != 0)
            fail_msg("%s case %zu\n  found:  '%s'\n  wanted: '%s'", in, i, found,
                     cases[i].problems);
        assert_int_equal(err, cases[i].problems[0] ? GR_ERR_INVALID : GR_OK);
        for (size_t j = 0; j < problems.count; j++)
            assert_string_equal(problems.list[j].in, in);
    }
}

static void query_values(void **state)
{
    const struct gr_field rows[] = {
        GR_FIELD("limit", GR_INT, "d", .range = GR_RANGE(10, 100)),
        GR_FIELD("ratio", GR_NUMBER, "d"),
        GR_FIELD("enabled", GR_BOOL, "d"),
        GR_FIELD("after", GR_TIME, "d"),
        GR_FIELD("name", GR_STRING, "d", .range = GR_MAX(3)),
        GR_FIELD("tag", GR_STRING, "d", .flags = GR_FIELD_REPEATED, .values = GR_LIST("a", "b")),
        GR_FIELD("even", GR_INT, "d", .check = check_even),
        GR_FIELD("any", GR_ANY, "d"),
        GR_END,
    };
    static const struct pair_case cases[] = {
        {{{{NULL, 0}, {NULL, 0}}}, ""},
        {{PAIR("limit", "10"), PAIR("ratio", "-1.5e3"), PAIR("enabled", "true"),
          PAIR("name", "abc")},
         ""},
        {{PAIR("after", "2026-01-02T03:04:05Z"), PAIR("unknown", "%"), PAIR("unknown", "")}, ""},
        {{PAIR("limit", "0010")}, ""},
        {{PAIR("limit", "9")}, "limit: min: an integer from 10 to 100"},
        {{PAIR("limit", "101")}, "limit: max: an integer from 10 to 100"},
        {{PAIR("limit", "")}, "limit: type: an integer from 10 to 100"},
        {{PAIR("limit", "ten")}, "limit: type: an integer from 10 to 100"},
        {{PAIR("limit", "10.0")}, "limit: type: an integer from 10 to 100"},
        {{PAIR("limit", "+10")}, "limit: type: an integer from 10 to 100"},
        {{PAIR("limit", " 10")}, "limit: type: an integer from 10 to 100"},
        {{PAIR("limit", "10 ")}, "limit: type: an integer from 10 to 100"},
        {{PAIR("limit", "1e1")}, "limit: type: an integer from 10 to 100"},
        {{PAIR("limit", "0x10")}, "limit: type: an integer from 10 to 100"},
        {{PAIR("limit", "-")}, "limit: type: an integer from 10 to 100"},
        {{PAIR("limit", "9223372036854775808")}, "limit: type: an integer from 10 to 100"},
        {{PAIR("limit", "10"), PAIR("limit", "10")}, "limit: value: one value, not several"},
        {{PAIR("ratio", "nan")}, "ratio: type: a number"},
        {{PAIR("ratio", "inf")}, "ratio: type: a number"},
        {{PAIR("ratio", "1.")}, "ratio: type: a number"},
        {{PAIR("ratio", ".5")}, "ratio: type: a number"},
        {{PAIR("ratio", "1e")}, "ratio: type: a number"},
        {{PAIR("ratio", "1e999")}, "ratio: type: a number"},
        {{PAIR("ratio", "0x1p3")}, "ratio: type: a number"},
        {{PAIR("enabled", "1")}, "enabled: type: true or false"},
        {{PAIR("enabled", "True")}, "enabled: type: true or false"},
        {{PAIR("after", "yesterday")}, "after: value: an RFC 3339 timestamp"},
        {{PAIR("name", "")}, ""},
        {{PAIR("name", "abcd")}, "name: max: a string of at most 3 characters"},
        {{PAIR("tag", "a"), PAIR("tag", "b")}, ""},
        {{PAIR("tag", "a"), PAIR("tag", "c")}, "tag: value: one of 'a', 'b'"},
        {{PAIR("even", "4"), PAIR("any", "")}, ""},
    };
    static const struct gr_pair odd[] = {PAIR("even", "3")};
    struct grc_schema *rule = members_rule(rows);

    (void)state;
    check_pair_cases(rule, "query", cases, COUNT(cases));
    assert_int_equal(grc_schema_check_pairs(rule, NULL, "query", odd, 1, &problems),
                     GR_ERR_INVALID);
    grc_schema_free(rule);
}

static void query_presence(void **state)
{
    const struct gr_field rows[] = {
        GR_FIELD("id", GR_STRING, "d", .flags = GR_FIELD_REQUIRED),
        GR_FIELD("kind", GR_STRING, "d"),
        GR_FIELD("size", GR_INT, "d", .when = GR_WHEN("kind", "big")),
        GR_FIELD("from", GR_INT, "d", .any_of = "span"),
        GR_FIELD("to", GR_INT, "d", .any_of = "span"),
        GR_END,
    };
    static const struct pair_case cases[] = {
        {{PAIR("id", "1"), PAIR("to", "1")}, ""},
        {{PAIR("id", ""), PAIR("from", "1"), PAIR("kind", "small")}, ""},
        {{PAIR("to", "1")}, "id: missing: required"},
        {{PAIR("id", "1")}, "from: missing: at least one of 'from', 'to'"},
        {{PAIR("id", "1"), PAIR("to", "1"), PAIR("kind", "big")},
         "size: missing: required when 'kind' is 'big'"},
    };
    struct grc_schema *rule = members_rule(rows);

    (void)state;
    check_pair_cases(rule, "query", cases, COUNT(cases));
    grc_schema_free(rule);
}

static void path_parameters(void **state)
{
    const struct gr_field rows[] = {
        GR_FIELD("id", GR_STRING, "d", .pattern = "[0-9a-f]{4}"),
        GR_FIELD("long", GR_STRING, "d", .range = GR_MAX(1000)),
        GR_FIELD("n", GR_INT, "d"),
        GR_END,
    };
    static const struct pair_case cases[] = {
        {{PAIR("id", "12af"), PAIR("other", "x y/z"), PAIR("n", "7")}, ""},
        {{PAIR("id", "12AF")}, "id: value: a string that matches [0-9a-f]{4}"},
        {{PAIR("n", "seven")}, "n: type: an integer"},
        {{PAIR("other", "")}, "other: value: one path segment"},
        {{PAIR("other", "..")}, "other: value: one path segment"},
        {{PAIR("other", "a/../b")}, "other: value: one path segment"},
        {{PAIR("long", "..")}, "long: value: one path segment"},
    };
    static const struct pair_case bare[] = {
        {{PAIR("x", "1")}, ""},
        {{PAIR("x", ".")}, "x: value: one path segment"},
    };
    char text[300];
    struct grc_schema *rule = members_rule(rows);

    (void)state;
    check_pair_cases(rule, "path", cases, COUNT(cases));
    check_pair_cases(NULL, "path", bare, COUNT(bare));
    memset(text, 'a', sizeof(text));
    text[257] = '\0';
    struct gr_pair pair = {GR_STR("x"), {text, 256}};
    assert_int_equal(grc_schema_check_pairs(rule, NULL, "path", &pair, 1, &problems), GR_OK);
    pair.value.len = 257;
    reset_problems(10);
    assert_int_equal(grc_schema_check_pairs(rule, NULL, "path", &pair, 1, &problems),
                     GR_ERR_INVALID);
    assert_string_equal(listing(), "x: max: at most 256 bytes");
    pair.name = GR_STR("long");
    assert_int_equal(grc_schema_check_pairs(rule, NULL, "path", &pair, 1, &problems), GR_OK);
    grc_schema_free(rule);
}

/* --- bindings and stripping --- */

/* Names that a lenient decoder behind the gateway may take for the name of a row that binds. */
static void names_that_may_be_taken_for_a_bound_one(void **state)
{
    const struct gr_field inner[] = {GR_FIELD("role", GR_STRING, "d", .binds = "role"),
                                     GR_FIELD("task", GR_STRING, "d"), GR_END};
    const struct gr_field rows[] = {
        GR_FIELD("room_id", GR_STRING, "d", .binds = "room"),
        GR_FIELD("Room_Id", GR_STRING, "d"), /* a separate row is not an alias of the first */
        GR_FIELD("note", GR_STRING, "d"),
        GR_FIELD("peer", GR_OBJECT, "d", .fields = inner),
        GR_FIELD("peers", GR_ARRAY, "d", .items = GR_ITEM(GR_OBJECT, .fields = inner)),
        GR_FIELD("by_name", GR_MAP, "d", .items = GR_ITEM(GR_OBJECT, .fields = inner)),
        GR_END,
    };
    static const struct {
        const char *body;
        const char *name; /* NULL: nothing is wrong */
    } cases[] = {
        {"{\"room_id\":\"a\",\"note\":\"b\",\"rooms\":1,\"room\":2,\"id\":3}", NULL},
        {"{\"Room_Id\":\"a\",\"Note\":\"b\",\"peer\":{\"role\":\"x\",\"TASK\":1}}", NULL},
        {"{\"room_id\":\"a\",\"Room_ID\":\"b\"}", "Room_ID"},
        {"{\"roomId\":\"b\"}", "roomId"},
        {"{\"room-id\":\"b\"}", "room-id"},
        {"{\"room_id[]\":\"b\"}", "room_id[]"},
        {"{\"room_id.x\":\"b\"}", "room_id.x"},
        {"{\"PEER\":{\"role\":\"b\"}}", "PEER"},
        {"{\"peer\":{\"Role\":\"b\"}}", "Role"},
        {"{\"peer\":{\"role\":\"a\"},\"peers\":[{\"role\":\"a\"},{\"ROLE\":\"b\"}]}", "ROLE"},
        {"{\"by_name\":{\"Role\":{\"role\":\"a\"}}}", NULL},
        {"{\"by_name\":{\"x\":{\"rolE\":\"a\"}}}", "rolE"},
        {"{\"peer\u017f\":[]}", "peer\xc5\xbf"},
        {"{\"room_\u0131d\":\"b\"}", NULL}, /* no case of 'i' in any decoder's folding */
        {"{}", NULL},
    };
    struct grc_schema *schema = members_rule(rows);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *value = json_loads(cases[i].body, 0, NULL);
        gr_str name = {NULL, 0};
        const char *row = grc_schema_shadow_json(schema, value, &name);

        assert_non_null(value);
        if (!row != !cases[i].name || (row && !gr_str_eq(name, gr_str_of(cases[i].name))))
            fail_msg("%s: %s", cases[i].body, row ? row : "nothing found");
        json_decref(value);
    }
    grc_schema_free(schema);
}

static enum gr_err note_binding(void *arg, const char *binds, gr_str value)
{
    const char **text = arg;

    *text = grc_arena_format(&arena, "%s%s=%.*s ", *text, binds, (int)value.len, value.ptr);
    return gr_str_eq(value, GR_STR("forbidden")) ? GR_ERR_FORBIDDEN : GR_OK;
}

static void bindings_are_visited(void **state)
{
    const struct gr_field peer[] = {GR_FIELD("role", GR_STRING, "d", .binds = "role"),
                                    GR_FIELD("x", GR_INT, "d"), GR_END};
    const struct gr_field rows[] = {
        GR_FIELD("room_id", GR_STRING, "d", .binds = "room"),
        GR_FIELD("number", GR_INT, "d", .binds = "number"),
        GR_FIELD("peers", GR_ARRAY, "d", .items = GR_ITEM(GR_OBJECT, .fields = peer)),
        GR_FIELD("roles", GR_ARRAY, "d", .items = GR_ITEM(GR_STRING, .binds = "role")),
        GR_FIELD("map", GR_MAP, "d", .items = GR_ITEM(GR_STRING, .binds = "room")),
        GR_FIELD("free", GR_STRING, "d"),
        GR_END,
    };
    struct grc_schema *rule = value_rule(GR_BODY(GR_OBJECT, .fields = rows));
    struct grc_schema *members = members_rule(rows);
    const char *seen = "";

    (void)state;
    json_t *value = grc_json_parse(
        GR_STR("{\"room_id\":\"r1\",\"number\":7,\"peers\":[{\"role\":\"host\"},{\"x\":1},{"
               "\"role\":null}],"
               "\"roles\":[\"guest\",\"host\"],\"map\":{\"k\":\"r2\"},\"free\":\"f\"}"),
        64, NULL);
    assert_int_equal(grc_schema_binds_json(rule, value, note_binding, &seen), GR_OK);
    assert_string_equal(seen, "room=r1 number=7 role=host role=guest role=host room=r2 ");
    seen = "";
    assert_int_equal(grc_schema_binds_json(members, value, note_binding, &seen), GR_OK);
    assert_string_equal(seen, "room=r1 number=7 role=host role=guest role=host room=r2 ");
    json_object_set_new(value, "room_id", json_string("forbidden"));
    seen = "";
    assert_int_equal(grc_schema_binds_json(rule, value, note_binding, &seen), GR_ERR_FORBIDDEN);
    assert_string_equal(seen, "room=forbidden ");
    assert_int_equal(grc_schema_binds_json(rule, NULL, note_binding, &seen), GR_OK);
    json_decref(value);

    static const struct gr_pair pairs[] = {PAIR("x", "1"), PAIR("room_id", "r1"),
                                           PAIR("room_id", "r2"), PAIR("free", "f"),
                                           PAIR("number", "07")};
    seen = "";
    assert_int_equal(grc_schema_binds_pairs(members, pairs, 5, note_binding, &seen), GR_OK);
    assert_string_equal(seen, "room=r1 room=r2 number=07 ");
    assert_int_equal(grc_schema_binds_pairs(NULL, pairs, 5, note_binding, &seen), GR_OK);
    grc_schema_free(rule);
    grc_schema_free(members);
}

static void members_for_the_gateway_are_stripped(void **state)
{
    const struct gr_field inner[] = {GR_FIELD("keep", GR_INT, "d"),
                                     GR_FIELD("drop", GR_INT, "d", .flags = GR_FIELD_STRIP),
                                     GR_END};
    const struct gr_field rows[] = {
        GR_FIELD("secret", GR_STRING, "d", .flags = GR_FIELD_STRIP),
        GR_FIELD("one", GR_OBJECT, "d", .fields = inner),
        GR_FIELD("list", GR_ARRAY, "d", .items = GR_ITEM(GR_OBJECT, .fields = inner)),
        GR_FIELD("map", GR_MAP, "d", .items = GR_ITEM(GR_OBJECT, .fields = inner)),
        GR_FIELD("plain", GR_OBJECT, "d"),
        GR_END,
    };
    static const char before[] =
        "{\"secret\":\"s\",\"one\":{\"keep\":1,\"drop\":2},\"list\":[{\"drop\":1},null],"
        "\"map\":{\"a\":{\"drop\":1,\"keep\":2}},\"plain\":{\"drop\":3},\"other\":4}";
    static const char after[] =
        "{\"one\":{\"keep\":1},\"list\":[{},null],\"map\":{\"a\":{\"keep\":2}},"
        "\"plain\":{\"drop\":3},\"other\":4}";
    struct grc_schema *rule = value_rule(GR_BODY(GR_OBJECT, .fields = rows));
    json_t *value = grc_json_parse(gr_str_of(before), 64, NULL);
    json_t *original = json_deep_copy(value);
    json_t *wanted = grc_json_parse(gr_str_of(after), 64, NULL);

    (void)state;
    assert_true(grc_schema_strips(rule));
    json_t *stripped = grc_schema_strip(rule, value);
    assert_true(json_equal(stripped, wanted));
    assert_true(json_equal(value, original));
    json_decref(stripped);
    json_decref(wanted);
    json_decref(original);
    json_decref(value);
    grc_schema_free(rule);

    rule = value_rule(GR_BODY(GR_OBJECT));
    assert_false(grc_schema_strips(rule));
    grc_schema_free(rule);
}

/* --- threads --- */

static void *match_often(void *arg)
{
    const struct grc_schema *rule = arg;
    struct grc_arena own;
    uintptr_t wrong = 0;

    grc_arena_init(&own, 1 << 16);
    for (int i = 0; i < 2000; i++) {
        struct grc_problems found = {.arena = &own, .max = 3};
        json_t *value = json_string(i % 2 ? "abc-123" : "abc_123");
        enum gr_err err = grc_schema_check_json(rule, NULL, value, &found);
        wrong += err != (i % 2 ? GR_OK : GR_ERR_INVALID);
        json_decref(value);
        grc_arena_reset(&own);
    }
    grc_arena_done(&own);
    return (void *)wrong;
}

static void rules_are_shared_by_threads(void **state)
{
    const struct gr_field row = {.type = GR_STRING, .pattern = "([a-z]+)-(\\d+)"};
    struct grc_schema *rule = value_rule(&row);
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_true(grc_thread_start(&threads[i], (size_t)64 * 1024, match_often, rule));
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    grc_schema_free(rule);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(types),
        TEST(numbers),
        TEST(strings),
        TEST(costly_patterns_end),
        TEST(presence),
        TEST(absent_bodies),
        TEST(arrays_maps_and_places),
        TEST(names_from_clients_are_cleaned),
        TEST(unknown_members),
        TEST(hints_are_for_readers),
        TEST(conditions_between_siblings),
        TEST(check_functions),
        TEST(check_problems_get_their_place),
        TEST(problems_are_bounded),
        TEST(query_values),
        TEST(query_presence),
        TEST(path_parameters),
        TEST(names_that_may_be_taken_for_a_bound_one),
        TEST(bindings_are_visited),
        TEST(members_for_the_gateway_are_stripped),
        TEST(rules_are_shared_by_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
