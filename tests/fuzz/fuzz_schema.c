/*
 * Checks any JSON, or any query string, by rules. The check must end, give the same result a second
 * time, and its messages must be valid text. The first byte selects JSON or a query string.
 */
#include "base/json.h"
#include "base/uri.h"
#include "base/utf8.h"
#include "validate/schema.h"

#include <stdlib.h>

#define PROBLEMS_MAX 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gr_field options[] = {
    GR_FIELD("text", GR_STRING, "d", .flags = GR_FIELD_REQUIRED, .range = GR_RANGE(1, 300)),
    GR_FIELD("weight", GR_INT, "d", .range = GR_RANGE(1, 5)),
    GR_FIELD("drop", GR_ANY, "d", .flags = GR_FIELD_STRIP),
    GR_END,
};
static const struct gr_field members[] = {
    GR_FIELD("name", GR_STRING, "d", .pattern = "[A-Za-z0-9.:_-]+", .range = GR_MAX(100)),
    GR_FIELD("slow", GR_STRING, "d", .pattern = "(a|aa)+b"),
    GR_FIELD("room", GR_STRING, "d", .binds = "room", .flags = GR_FIELD_NOT_NULL),
    GR_FIELD("type", GR_STRING, "d", .values = GR_LIST("poll", "quiz")),
    GR_FIELD("answer", GR_INT, "d", .when = GR_WHEN("type", "quiz"), .multiple_of = 5),
    GR_FIELD("ratio", GR_NUMBER, "d", .range = GR_RANGE(0.1, 1)),
    GR_FIELD("on", GR_BOOL, "d", .any_of = "x"),
    GR_FIELD("at", GR_TIME, "d", .any_of = "x"),
    GR_FIELD("options", GR_ARRAY, "d", .range = GR_RANGE(1, 5),
             .items = GR_ITEM(GR_OBJECT, .fields = options, .flags = GR_FIELD_STRICT)),
    GR_FIELD("tags", GR_MAP, "d", .items = GR_ITEM(GR_STRING, .binds = "room")),
    GR_END,
};
static const struct gr_field parameters[] = {
    GR_FIELD("limit", GR_INT, "d", .range = GR_RANGE(10, 100)),
    GR_FIELD("ratio", GR_NUMBER, "d", .range = GR_RANGE(0.1, 1)),
    GR_FIELD("on", GR_BOOL, "d"),
    GR_FIELD("at", GR_TIME, "d", .when = GR_WHEN("on", "true")),
    GR_FIELD("name", GR_STRING, "d", .flags = GR_FIELD_REPEATED, .binds = "room"),
    GR_END,
};

static enum gr_err visit(void *arg, const char *binds, gr_str value)
{
    (void)arg;
    if (strcmp(binds, "room") != 0 || (!value.ptr && value.len))
        abort();
    return GR_OK;
}

static void check(enum gr_err err, const struct grc_problems *problems)
{
    if ((err == GR_ERR_INVALID) != (problems->total > 0) || (err != GR_OK && err != GR_ERR_INVALID))
        abort();
    if (problems->count > PROBLEMS_MAX || problems->total < problems->count)
        abort();
    for (size_t i = 0; i < problems->count; i++) {
        const struct gr_problem *problem = &problems->list[i];
        if (!grc_utf8_valid(gr_str_of(problem->where)) || strlen(problem->where) > 512 ||
            !problem->expected[0] || strpbrk(problem->where, "\n\r\t\x7f"))
            abort();
    }
}

static void try_body(const struct grc_schema *rule, gr_str text, struct grc_arena *arena)
{
    struct grc_problems problems = {.arena = arena, .max = PROBLEMS_MAX};
    struct grc_problems again = {.arena = arena, .max = PROBLEMS_MAX};
    json_t *value = grc_json_parse(text, 64, NULL);

    if (!value)
        return;
    enum gr_err err = grc_schema_check_json(rule, NULL, value, &problems);
    check(err, &problems);
    grc_schema_binds_json(rule, value, visit, NULL);
    json_t *stripped = grc_schema_strip(rule, value);
    if (!stripped)
        abort();
    /* No rule requires a stripped member, so what was valid stays valid. */
    if (err == GR_OK && grc_schema_check_json(rule, NULL, stripped, &again) != GR_OK)
        abort();
    json_decref(stripped);
    json_decref(value);
}

static void try_query(const struct grc_schema *rule, gr_str text, struct grc_arena *arena)
{
    struct grc_problems problems = {.arena = arena, .max = PROBLEMS_MAX};
    struct gr_pair *pairs;
    size_t count;

    if (grc_query_parse(arena, text, 100, &pairs, &count) != GR_OK)
        return;
    check(grc_schema_check_pairs(rule, NULL, "query", pairs, count, &problems), &problems);
    grc_schema_binds_pairs(rule, pairs, count, visit, NULL);
    problems = (struct grc_problems){.arena = arena, .max = PROBLEMS_MAX};
    check(grc_schema_check_pairs(rule, NULL, "path", pairs, count, &problems), &problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gr_field body = {.type = GR_OBJECT, .fields = members};
    static struct grc_schema *body_rule;
    static struct grc_schema *query_rule;
    struct grc_arena arena;
    char *reason = NULL;

    if (!body_rule) {
        body_rule = grc_schema_value(&body, sizeof(body), &reason);
        query_rule = grc_schema_members(parameters, sizeof(parameters[0]), &reason);
    }
    if (!body_rule || !query_rule)
        abort();
    if (size == 0)
        return 0;
    gr_str text = {(const char *)data + 1, size - 1};
    grc_arena_init(&arena, 1 << 22);
    if (data[0] % 2)
        try_query(query_rule, text, &arena);
    else
        try_body(body_rule, text, &arena);
    grc_arena_done(&arena);
    return 0;
}
