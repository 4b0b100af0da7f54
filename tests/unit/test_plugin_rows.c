/* The tables of plugins. Rows of an older ABI are read with their own size. Wrong tables are
 * refused, with a message that names the row, the member and what was wanted. */
#include "plugin/plugin.h"
#include "plugin/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static enum gr_err handle(struct gr_call *call)
{
    (void)call;
    return GR_OK;
}

static const struct gr_field room_params[] = {{.name = "room_id", .type = GR_STRING}, GR_END};
static const struct gr_answer answers[] = {{.status = 200, .doc = "The room"}, GR_END};
static const struct gr_forward forward = {.upstream = "api", .path = "/v2/rooms/{room_id}"};

/* A valid route, of which each test changes one member. */
static struct gr_route good_route(void)
{
    return (struct gr_route){.method = GR_METHOD_GET,
                             .path = "/rooms/{room_id}",
                             .id = "rooms.get",
                             .summary = "Read a room",
                             .scope = "rooms:read",
                             .access = GR_ACCESS_CALLER,
                             .params = room_params,
                             .answers = answers,
                             .forward = &forward};
}

static struct gr_plugin plugin_with(const struct gr_route *routes)
{
    return (struct gr_plugin){.abi = GR_ABI,
                              .name = "rooms",
                              .version = "1.0.0",
                              .summary = "Rooms",
                              .licence = "MIT",
                              .routes = routes};
}

/* --- reading --- */

static void all_tables_of_routes_become_one(void **state)
{
    const struct gr_route first[] = {good_route(), GR_END};
    struct gr_route second[] = {good_route(), good_route(), GR_END};
    const struct gr_route *const tables[] = {second, NULL};
    struct gr_plugin desc = plugin_with(first);

    (void)state;
    desc.route_tables = tables;
    second[1].id = "rooms.last";
    const struct gr_plugin *copy = grc_rows_normalise(&desc);
    assert_non_null(copy);
    assert_int_equal(grc_route_rows(copy->routes), 3);
    assert_null(copy->route_tables);
    assert_string_equal(copy->routes[2].id, "rooms.last");
    assert_ptr_not_equal(copy->routes[0].forward, &forward);
    assert_string_equal(copy->routes[0].forward->path, forward.path);
    assert_int_equal(copy->routes[2].answers[0].status, 200);
    assert_int_equal(copy->routes[2].answers[1].status, 0);
    grc_rows_free(copy);
}

/* A table as an older minor version of the ABI had it: each row ends before the last member of
 * today, and what follows in memory is the next row. */
static void shorter_rows_are_read_at_their_own_width(void **state)
{
    const struct gr_timer rows[] = {{.name = "one"}, {.name = "two"}, GR_END};
    struct gr_plugin desc = plugin_with(NULL);
    size_t width = sizeof(rows[0]) - sizeof(void *);
    char *old = calloc(4, width);

    (void)state;
    assert_non_null(old);
    for (size_t i = 0; i < 3; i++)
        memcpy(old + i * width, &rows[i], width);
    desc.timers = (const struct gr_timer *)(void *)old;
    desc.abi.timer_size = (uint32_t)width;
    const struct gr_plugin *copy = grc_rows_normalise(&desc);
    assert_non_null(copy);
    assert_string_equal(copy->timers[0].name, "one");
    assert_string_equal(copy->timers[1].name, "two");
    assert_null(copy->timers[2].name);
    const char *last = (const char *)&copy->timers[0] + width;
    for (size_t i = 0; i < sizeof(void *); i++)
        assert_int_equal(last[i], 0);
    grc_rows_free(copy);
    free(old);
}

static void what_a_plugin_does_not_have_stays_away(void **state)
{
    const struct gr_plugin desc = plugin_with(NULL);
    const struct gr_plugin *copy = grc_rows_normalise(&desc);

    (void)state;
    assert_non_null(copy);
    assert_null(copy->options);
    assert_null(copy->migrations);
    assert_null(copy->metrics);
    assert_null(copy->timers);
    assert_null(copy->commands);
    assert_int_equal(grc_route_rows(copy->routes), 0);
    grc_rows_free(copy);
}

/* --- checking --- */

static char *reason_of(const struct gr_plugin *desc)
{
    char *reason = NULL;
    enum grc_load_state found = grc_table_check("rooms.so", desc, &reason);

    assert_int_equal(found, reason ? GRC_LOAD_TABLE : GRC_LOAD_OK);
    return reason;
}

struct wrong_row {
    const char *reason;
    struct gr_route route; /* members that are set replace those of the good route */
};

#define WRONG(reason_, ...)                                                                        \
    {                                                                                              \
        .reason = "rooms.so: route 1 (" reason_, .route = { __VA_ARGS__ }                          \
    }

static const struct gr_forward no_path = {.upstream = "api"};
static const struct gr_forward no_upstream = {.path = "/v2/rooms"};
static const struct gr_forward strange_param = {.upstream = "api", .path = "/v2/rooms/{id}"};
static const struct gr_field strange_rows[] = {{.name = "id", .type = GR_STRING}, GR_END};

static const struct wrong_row wrong_rows[] = {
    WRONG("rooms.get): path: wanted /literal/{param} segments, no trailing slash", .path = "rooms"),
    WRONG("rooms.get): path: wanted /literal/{param} segments, no trailing slash",
          .path = "/rooms/"),
    WRONG("rooms.get): path: wanted /literal/{param} segments, no trailing slash",
          .path = "/rooms/{"),
    WRONG("rooms.get): path: wanted /literal/{param} segments, no trailing slash",
          .path = "/rooms/x{room_id}"),
    WRONG("rooms.get): path: wanted /literal/{param} segments, no trailing slash",
          .path = "//rooms/{room_id}"),
    WRONG("Rooms.get): id: wanted group.verb in lower case", .id = "Rooms.get"),
    WRONG("rooms): id: wanted group.verb in lower case", .id = "rooms"),
    WRONG("rooms.get): summary: wanted one line without a full stop", .summary = "Two\nlines"),
    WRONG("rooms.get): summary: wanted one line without a full stop", .summary = "Read a room."),
    WRONG("rooms.get): alias: wanted a path with the same parameters", .alias = "/r/{id}"),
    WRONG("rooms.get): scope: wanted resource:action, or another access", .scope = "rooms"),
    WRONG("rooms.get): scope: wanted resource:action, or another access", .scope = ":read"),
    WRONG("rooms.get): forward: wanted an upstream and a path with parameters of the route",
          .forward = &no_path),
    WRONG("rooms.get): forward: wanted an upstream and a path with parameters of the route",
          .forward = &no_upstream),
    WRONG("rooms.get): forward: wanted an upstream and a path with parameters of the route",
          .forward = &strange_param),
    WRONG("rooms.get): params: wanted rows for parameters of the path", .params = strange_rows),
    WRONG("rooms.get): method: wanted a method of this ABI", .method = GR_METHOD_DELETE + 1),
};

static struct gr_route changed(const struct gr_route *by)
{
    struct gr_route route = good_route();

#define TAKE(member) route.member = by->member ? by->member : route.member
    TAKE(method);
    TAKE(path);
    TAKE(alias);
    TAKE(id);
    TAKE(summary);
    TAKE(scope);
    TAKE(params);
    TAKE(forward);
#undef TAKE
    return route;
}

static void a_wrong_row_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong_rows) / sizeof(wrong_rows[0]); i++) {
        struct gr_route routes[] = {good_route(), changed(&wrong_rows[i].route), GR_END};
        struct gr_plugin desc = plugin_with(routes);

        routes[0].id = "rooms.first";
        char *reason = reason_of(&desc);
        assert_string_equal(reason ? reason : "no fault found", wrong_rows[i].reason);
        free(reason);
    }
}

static void a_row_without_fault_passes(void **state)
{
    struct gr_route routes[] = {good_route(), good_route(), GR_END};
    struct gr_plugin desc = plugin_with(routes);

    (void)state;
    routes[1].id = "rooms.handled";
    routes[1].forward = NULL;
    routes[1].handle = handle;
    routes[1].access = GR_ACCESS_OPEN;
    routes[1].scope = NULL;
    assert_null(reason_of(&desc));
    routes[1].handle = NULL;
    char *reason = reason_of(&desc);
    assert_string_equal(reason, "rooms.so: route 1 (rooms.handled): handle: wanted a forward row "
                                "or a function");
    free(reason);
}

static void an_id_stands_once(void **state)
{
    const struct gr_route routes[] = {good_route(), good_route(), GR_END};
    const struct gr_plugin desc = plugin_with(routes);

    (void)state;
    char *reason = reason_of(&desc);
    assert_string_equal(reason,
                        "rooms.so: route 1: id: found 'rooms.get' a second time, wanted it once");
    free(reason);
}

static void a_plugin_says_what_it_is(void **state)
{
    struct gr_plugin wrong[] = {plugin_with(NULL), plugin_with(NULL), plugin_with(NULL),
                                plugin_with(NULL), plugin_with(NULL)};

    (void)state;
    wrong[0].name = "Rooms";
    wrong[1].name = NULL;
    wrong[2].version = NULL;
    wrong[3].summary = "Rooms.";
    wrong[4].licence = NULL;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *reason = reason_of(&wrong[i]);
        assert_non_null(reason);
        free(reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_tables_of_routes_become_one),
        cmocka_unit_test(shorter_rows_are_read_at_their_own_width),
        cmocka_unit_test(what_a_plugin_does_not_have_stays_away),
        cmocka_unit_test(a_wrong_row_is_named),
        cmocka_unit_test(a_row_without_fault_passes),
        cmocka_unit_test(an_id_stands_once),
        cmocka_unit_test(a_plugin_says_what_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
