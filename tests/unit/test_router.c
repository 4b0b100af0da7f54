/* route/router.h */
#include "route/router.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define ROUTES_MAX 64

static struct grc_arena arena;
static struct grc_router *router;
static struct gr_route rows[ROUTES_MAX];
static struct grc_route routes[ROUTES_MAX];
static size_t route_count;
static struct grc_plugin plugins[4];

static int setup(void **state)
{
    (void)state;
    grc_arena_init(&arena, 1 << 20);
    router = grc_router_new();
    route_count = 0;
    return router ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    grc_router_free(router);
    grc_arena_done(&arena);
    return 0;
}

static struct grc_route *make(enum gr_method method, const char *path, const char *alias)
{
    struct grc_route *route = &routes[route_count];

    assert_true(route_count < ROUTES_MAX);
    rows[route_count] =
        (struct gr_route){.method = method, .path = path, .alias = alias, .id = path};
    *route = (struct grc_route){
        .row = &rows[route_count], .plugin = &plugins[0], .path = path, .alias = alias};
    route_count++;
    return route;
}

static const struct grc_route *add(enum gr_method method, const char *path)
{
    const struct grc_route *other = NULL;
    const struct grc_route *route = make(method, path, NULL);

    if (!grc_router_add(router, route, &other))
        fail_msg("'%s' was not added", path);
    return route;
}

static struct grc_match match(enum gr_method method, const char *path)
{
    struct grc_match found;

    grc_router_match(router, method, gr_str_of(path), &arena, &found);
    return found;
}

static void assert_route(const char *path, const struct grc_route *wanted)
{
    struct grc_match found = match(GR_METHOD_GET, path);

    if (found.route != wanted)
        fail_msg("'%s' found '%s', wanted '%s' (err %d)", path,
                 found.route ? found.route->path : "nothing", wanted ? wanted->path : "nothing",
                 (int)found.err);
    assert_int_equal(found.err == GR_OK, wanted != NULL);
}

static void assert_err(const char *path, enum gr_err err)
{
    struct grc_match found = match(GR_METHOD_GET, path);

    if (found.err != err || found.route)
        fail_msg("'%s' gave %d, wanted %d", path, (int)found.err, (int)err);
}

static void assert_param(const struct grc_match *found, size_t index, const char *name,
                         const char *value)
{
    assert_true(index < found->param_count);
    assert_true(gr_str_eq(found->params[index].name, gr_str_of(name)));
    assert_string_equal(found->params[index].value.ptr, value);
    assert_int_equal(found->params[index].value.len, strlen(value));
}

static void literals_and_parameters(void **state)
{
    const struct grc_route *root = add(GR_METHOD_GET, "/");
    const struct grc_route *list = add(GR_METHOD_GET, "/rooms");
    const struct grc_route *one = add(GR_METHOD_GET, "/rooms/{room_id}");
    const struct grc_route *codes = add(GR_METHOD_GET, "/rooms/{room_id}/codes");
    const struct grc_route *code = add(GR_METHOD_GET, "/rooms/{room_id}/codes/{code}");

    (void)state;
    assert_route("/", root);
    assert_route("/rooms", list);
    assert_route("/rooms/r1", one);
    assert_route("/rooms/r1/codes", codes);
    assert_route("/rooms/r1/codes/c1", code);
    assert_err("/rooms/r1/codes/c1/x", GR_ERR_NOT_FOUND);
    assert_err("/room", GR_ERR_NOT_FOUND);
    assert_err("/roomss", GR_ERR_NOT_FOUND);
    assert_err("/Rooms", GR_ERR_NOT_FOUND);
    assert_err("/rooms/r1/code", GR_ERR_NOT_FOUND);
    struct grc_match found = match(GR_METHOD_GET, "/rooms/r%201/codes/c1");
    assert_int_equal(found.param_count, 2);
    assert_param(&found, 0, "room_id", "r 1");
    assert_param(&found, 1, "code", "c1");
    assert_null(found.params[2].name.ptr);
}

static void literals_win_and_the_choice_backtracks(void **state)
{
    const struct grc_route *fixed = add(GR_METHOD_GET, "/a/b");
    const struct grc_route *free_one = add(GR_METHOD_GET, "/a/{x}");
    const struct grc_route *deep = add(GR_METHOD_GET, "/a/{x}/c");
    const struct grc_route *other = add(GR_METHOD_GET, "/a/b/d");
    const struct grc_route *deepest = add(GR_METHOD_GET, "/{w}/b/{y}/{z}");

    (void)state;
    assert_route("/a/b", fixed);
    assert_route("/a/bb", free_one);
    assert_route("/a/b/c", deep);
    assert_route("/a/b/d", other);
    assert_route("/a/q/d", NULL);
    assert_route("/a/b/d/e", deepest);
    assert_route("/q/b/d/e", deepest);
    struct grc_match found = match(GR_METHOD_GET, "/a/b/c");
    assert_param(&found, 0, "x", "b");
    found = match(GR_METHOD_GET, "/a/b/d/e");
    assert_param(&found, 0, "w", "a");
    assert_param(&found, 1, "y", "d");
    assert_param(&found, 2, "z", "e");
}

static void methods_are_told_apart(void **state)
{
    const struct grc_route *get = add(GR_METHOD_GET, "/r/{id}");
    const struct grc_route *post = add(GR_METHOD_POST, "/r/{room_id}");
    const struct grc_route *end = add(GR_METHOD_POST, "/r/end");
    unsigned both = 1u << GR_METHOD_GET | 1u << GR_METHOD_POST;

    (void)state;
    struct grc_match found = match(GR_METHOD_POST, "/r/7");
    assert_ptr_equal(found.route, post);
    assert_int_equal(found.allowed, both);
    assert_param(&found, 0, "room_id", "7");
    found = match(GR_METHOD_GET, "/r/7");
    assert_ptr_equal(found.route, get);
    assert_param(&found, 0, "id", "7");
    found = match(GR_METHOD_DELETE, "/r/7");
    assert_null(found.route);
    assert_int_equal(found.err, GR_ERR_METHOD);
    assert_int_equal(found.allowed, both);
    /* a method that only the parameter's route has */
    assert_ptr_equal(match(GR_METHOD_POST, "/r/end").route, end);
    found = match(GR_METHOD_GET, "/r/end");
    assert_ptr_equal(found.route, get);
    assert_int_equal(found.allowed, both);
    /* OPTIONS and unknown methods come as 0 */
    found = match((enum gr_method)0, "/r/7");
    assert_int_equal(found.err, GR_ERR_METHOD);
    assert_int_equal(found.allowed, both);
    found = match((enum gr_method)0, "/x");
    assert_int_equal(found.err, GR_ERR_NOT_FOUND);
    assert_int_equal(found.allowed, 0);
}

static void one_trailing_slash_is_accepted(void **state)
{
    const struct grc_route *plain = add(GR_METHOD_GET, "/rooms");
    const struct grc_route *slashed = add(GR_METHOD_GET, "/accounts/");
    const struct grc_route *one = add(GR_METHOD_GET, "/rooms/{id}");

    (void)state;
    assert_route("/rooms/", plain);
    assert_route("/accounts", slashed);
    assert_route("/accounts/", slashed);
    assert_route("/rooms/x/", one);
    assert_err("/rooms//", GR_ERR_NOT_FOUND);
    assert_err("/rooms/x//", GR_ERR_NOT_FOUND);
    assert_err("//rooms", GR_ERR_NOT_FOUND);
    assert_err("//", GR_ERR_NOT_FOUND);
    assert_err("/", GR_ERR_NOT_FOUND);
}

static void escapes_never_make_segments(void **state)
{
    const struct grc_route *list = add(GR_METHOD_GET, "/rooms");
    const struct grc_route *one = add(GR_METHOD_GET, "/rooms/{id}");

    (void)state;
    assert_route("/r%6foms", list);
    assert_route("/%72%6F%6F%6D%73/", list);
    assert_route("/rooms%2F1", NULL);
    assert_route("/rooms/a%2Fb", one);
    struct grc_match found = match(GR_METHOD_GET, "/rooms/a%2Fb%3Fc%23d%25%2B+");
    assert_param(&found, 0, "id", "a/b?c#d%++");
    found = match(GR_METHOD_GET, "/rooms/\xc3\xa4%C3%A4");
    assert_param(&found, 0, "id", "\xc3\xa4\xc3\xa4");
    found = match(GR_METHOD_GET, "/rooms/%252e%252e");
    assert_param(&found, 0, "id", "%2e%2e");
    found = match(GR_METHOD_GET, "/rooms/...");
    assert_param(&found, 0, "id", "...");
}

static void unsafe_paths_are_bad_requests(void **state)
{
    static const char *const cases[] = {
        "",
        "rooms",
        "*",
        "/rooms/.",
        "/rooms/..",
        "/rooms/../rooms",
        "/./rooms",
        "/../rooms",
        "/rooms/%2e",
        "/rooms/%2e%2e",
        "/rooms/.%2E",
        "/rooms/%2e%2e/x/y/z",
        "/rooms/..%2fadmin",
        "/rooms/a%2f..%2fb",
        "/rooms/..%5cadmin",
        "/rooms/..\\admin",
        "/rooms/%",
        "/rooms/%4",
        "/rooms/%zz",
        "/rooms/%00",
        "/rooms/a%00b",
        "/rooms/%0a",
        "/rooms/%0d%0aX: y",
        "/rooms/\x7f",
        "/rooms/\x01",
        "/rooms/%80",
        "/rooms/\xff",
        "/rooms/%c0%ae%c0%ae",
        "/nothing/here/%zz",
        "/nothing/..",
        "//..",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/%2e%2e",
    };

    (void)state;
    add(GR_METHOD_GET, "/rooms");
    add(GR_METHOD_GET, "/rooms/{id}");
    add(GR_METHOD_GET, "/rooms/{id}/{a}/{b}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_err(cases[i], GR_ERR_BAD_REQUEST);
    struct grc_match found;
    grc_router_match(router, GR_METHOD_GET, (gr_str){"/rooms/a\0b", 10}, &arena, &found);
    assert_int_equal(found.err, GR_ERR_BAD_REQUEST);
    grc_router_match(router, GR_METHOD_GET, (gr_str){NULL, 0}, &arena, &found);
    assert_int_equal(found.err, GR_ERR_BAD_REQUEST);
}

static void aliases_lead_to_the_same_route(void **state)
{
    const struct grc_route *other = NULL;
    const struct grc_route *route =
        make(GR_METHOD_GET, "/audiences/{audience}/classes/{id}", "/classes/{id}/of/{audience}");

    (void)state;
    assert_true(grc_router_add(router, route, &other));
    struct grc_match found = match(GR_METHOD_GET, "/classes/7/of/a");
    assert_ptr_equal(found.route, route);
    assert_param(&found, 0, "id", "7");
    assert_param(&found, 1, "audience", "a");
    assert_route("/audiences/a/classes/7", route);
}

static void the_same_shape_is_refused(void **state)
{
    const struct grc_route *first = add(GR_METHOD_GET, "/rooms/{id}");
    const struct grc_route *other = NULL;

    (void)state;
    assert_false(grc_router_add(router, make(GR_METHOD_GET, "/rooms/{name}", NULL), &other));
    assert_ptr_equal(other, first);
    assert_false(grc_router_add(router, make(GR_METHOD_GET, "/rooms/{name}/", NULL), &other));
    assert_ptr_equal(other, first);
    assert_false(grc_router_add(router, make(GR_METHOD_GET, "/new", "/rooms/{x}"), &other));
    assert_ptr_equal(other, first);
    assert_true(grc_router_add(router, make(GR_METHOD_PUT, "/rooms/{name}", NULL), &other));
    assert_null(other);
    assert_true(grc_router_add(router, make(GR_METHOD_GET, "/rooms/name", NULL), &other));
}

static void malformed_patterns_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "rooms",
        "/a//b",
        "/a/..",
        "/./b",
        "/a{b}",
        "/{a}b",
        "/{}",
        "/{a}/{a}",
        "/a%20b",
        "/a b",
        "/{a",
        "/a?b",
        "//",
        "/{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}/{9}",
        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25",
    };
    const struct grc_route *other = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (grc_router_add(router, make(GR_METHOD_GET, cases[i], NULL), &other) || other)
            fail_msg("'%s' was added", cases[i]);
    }
    assert_false(grc_router_add(router, make((enum gr_method)0, "/a", NULL), &other));
    assert_false(grc_router_add(router, make((enum gr_method)9, "/a", NULL), &other));
}

static void unmatched_paths_belong_to_the_longest_prefix(void **state)
{
    static const struct {
        const char *path;
        int owner; /* -1: nobody */
    } cases[] = {
        {"/api", 1},       {"/api/", 1},   {"/api/x", 1},  {"/api/v1", 2},     {"/api/v1/x", 2},
        {"/api/v11", 1},   {"/apis", -1},  {"/", -1},      {"/ap%69/v1/x", 2}, {"/api/%zz", 1},
        {"/api/v1/..", 2}, {"/api//x", 1}, {"api/v1", -1}, {"", -1},
    };

    (void)state;
    assert_true(grc_router_own(router, &plugins[1], "/api/"));
    assert_true(grc_router_own(router, &plugins[2], "/api/v1"));
    assert_false(grc_router_own(router, &plugins[2], "/a//b"));
    assert_false(grc_router_own(router, &plugins[2], "/api//"));
    assert_false(grc_router_own(router, &plugins[2], "a"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct grc_match found = match(GR_METHOD_GET, cases[i].path);
        struct grc_plugin *wanted = cases[i].owner < 0 ? NULL : &plugins[cases[i].owner];
        assert_null(found.route);
        if (found.owner != wanted)
            fail_msg("wrong owner of '%s'", cases[i].path);
    }
    assert_true(grc_router_own(router, &plugins[3], "/"));
    assert_ptr_equal(match(GR_METHOD_GET, "/x").owner, &plugins[3]);
    assert_ptr_equal(match(GR_METHOD_GET, "/api/v1/x").owner, &plugins[2]);
    /* a known path belongs to its route, whatever plugin owns the prefix */
    add(GR_METHOD_GET, "/api/v1/rooms");
    assert_ptr_equal(match(GR_METHOD_POST, "/api/v1/rooms").owner, &plugins[0]);
    assert_ptr_equal(match(GR_METHOD_GET, "/api/v1/rooms").owner, &plugins[0]);
}

static void many_literals_are_found(void **state)
{
    static char paths[50][16];

    (void)state;
    for (int i = 0; i < 50; i++) {
        snprintf(paths[i], sizeof(paths[i]), "/%c%d", 'a' + (i * 7) % 26, i * 37 % 50);
        add(GR_METHOD_GET, paths[i]);
    }
    for (size_t i = 0; i < 50; i++)
        assert_route(paths[i], &routes[i]);
}

static void plain_paths_cost_no_memory(void **state)
{
    struct grc_arena none;
    struct grc_match found;

    (void)state;
    add(GR_METHOD_GET, "/rooms/all");
    grc_arena_init(&none, 0);
    grc_router_match(router, GR_METHOD_GET, GR_STR("/rooms/all"), &none, &found);
    assert_int_equal(found.err, GR_OK);
    grc_router_match(router, GR_METHOD_GET, GR_STR("/rooms/%61ll"), &none, &found);
    assert_int_equal(found.err, GR_ERR_NO_MEMORY);
    assert_null(found.route);
    grc_arena_done(&none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(literals_and_parameters),        TEST(literals_win_and_the_choice_backtracks),
        TEST(methods_are_told_apart),         TEST(one_trailing_slash_is_accepted),
        TEST(escapes_never_make_segments),    TEST(unsafe_paths_are_bad_requests),
        TEST(aliases_lead_to_the_same_route), TEST(the_same_shape_is_refused),
        TEST(malformed_patterns_are_refused), TEST(unmatched_paths_belong_to_the_longest_prefix),
        TEST(many_literals_are_found),        TEST(plain_paths_cost_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
