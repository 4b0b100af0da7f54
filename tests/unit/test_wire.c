/* Frames between the gateway and the process of a group. What was written can be read, and a frame
 * that was cut or changed is refused without a read past its end. */
#include "isolation/message.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROOM 4096u

static gr_str write_sample(struct grc_wire *wire)
{
    const struct gr_pair pairs[] = {{GR_STR("a"), GR_STR("1")}, {GR_STR("b"), GR_STR("")}};

    grc_wire_begin(wire, ROOM);
    grc_wire_int(wire, INT64_MIN);
    grc_wire_text(wire, GR_STR("text"));
    grc_wire_text(wire, (gr_str){NULL, 0});
    grc_wire_pairs(wire, pairs, 2);
    return grc_wire_frame(wire, GRC_FRAME_CALL, 7);
}

static struct grc_unwire open_frame(gr_str frame)
{
    return (struct grc_unwire){.at = frame.ptr + sizeof(struct grc_frame),
                               .end = frame.ptr + frame.len};
}

static void what_is_written_is_read(void **state)
{
    struct gr_pair pairs[2];
    struct grc_wire wire;
    struct grc_frame head;

    (void)state;
    gr_str frame = write_sample(&wire);
    memcpy(&head, frame.ptr, sizeof(head));
    assert_int_equal(head.kind, GRC_FRAME_CALL);
    assert_int_equal(head.id, 7);
    assert_int_equal(head.size, frame.len - sizeof(head));
    struct grc_unwire unwire = open_frame(frame);
    assert_true(grc_unwire_int(&unwire) == INT64_MIN);
    gr_str text = grc_unwire_text(&unwire);
    assert_string_equal(text.ptr, "text");
    assert_int_equal(text.len, 4);
    assert_null(grc_unwire_text(&unwire).ptr);
    assert_int_equal(grc_unwire_pairs(&unwire, pairs, 2), 2);
    assert_string_equal(pairs[1].name.ptr, "b");
    assert_string_equal(pairs[1].value.ptr, "");
    assert_false(unwire.broken);
    assert_ptr_equal(unwire.at, unwire.end);
    grc_wire_done(&wire);
}

/* Tries every length of the same payload, in memory that ends behind it. */
static void a_payload_that_was_cut_is_broken(void **state)
{
    struct gr_pair pairs[2];
    struct grc_wire wire;

    (void)state;
    gr_str frame = write_sample(&wire);
    size_t whole = frame.len - sizeof(struct grc_frame);
    for (size_t len = 0; len < whole; len++) {
        char *cut = malloc(len + 1);

        assert_non_null(cut);
        memcpy(cut, frame.ptr + sizeof(struct grc_frame), len);
        char *exact = realloc(cut, len ? len : 1);
        assert_non_null(exact);
        struct grc_unwire unwire = {.at = exact, .end = exact + len};
        (void)grc_unwire_int(&unwire);
        (void)grc_unwire_text(&unwire);
        (void)grc_unwire_text(&unwire);
        (void)grc_unwire_pairs(&unwire, pairs, 2);
        assert_true(unwire.broken);
        free(exact);
    }
    grc_wire_done(&wire);
}

static void a_count_beyond_its_limit_is_broken(void **state)
{
    struct gr_pair one;
    struct grc_wire wire;

    (void)state;
    grc_wire_begin(&wire, ROOM);
    grc_wire_int(&wire, 2);
    grc_wire_text(&wire, GR_STR("long enough for two pairs that are not there"));
    struct grc_unwire unwire = open_frame(grc_wire_frame(&wire, GRC_FRAME_CALL, 0));
    assert_int_equal(grc_unwire_pairs(&unwire, &one, 1), 0);
    assert_true(unwire.broken);
    grc_wire_done(&wire);
    grc_wire_begin(&wire, ROOM);
    grc_wire_int(&wire, -1);
    unwire = open_frame(grc_wire_frame(&wire, GRC_FRAME_CALL, 0));
    assert_int_equal(grc_unwire_count(&unwire, 10), 0);
    assert_true(unwire.broken);
    grc_wire_done(&wire);
}

static void a_text_whose_end_is_missing_is_broken(void **state)
{
    struct grc_wire wire;

    (void)state;
    grc_wire_begin(&wire, ROOM);
    grc_wire_text(&wire, GR_STR("text"));
    gr_str frame = grc_wire_frame(&wire, GRC_FRAME_CALL, 0);
    ((char *)(uintptr_t)frame.ptr)[frame.len - 1] = 'x';
    struct grc_unwire unwire = open_frame(frame);
    assert_null(grc_unwire_text(&unwire).ptr);
    assert_true(unwire.broken);
    grc_wire_done(&wire);
}

static void what_does_not_fit_gives_no_frame(void **state)
{
    struct grc_wire wire;

    (void)state;
    grc_wire_begin(&wire, 16);
    grc_wire_text(&wire, GR_STR("much longer than sixteen bytes"));
    grc_wire_int(&wire, 1);
    assert_int_equal(wire.err, GR_ERR_TOO_LARGE);
    assert_null(grc_wire_frame(&wire, GRC_FRAME_CALL, 0).ptr);
    grc_wire_done(&wire);
}

/* A call as the gateway would send it, to a plugin with one route. */
static void a_call_with_a_route_that_is_not_there_is_refused(void **state)
{
    struct grc_route routes[2] = {{.path = "/a"}, {.path = "/b"}};
    const struct gr_route row = {.id = "a.b"};
    struct grc_settings settings = {.call_memory_max_bytes = 65536};
    struct grc_runtime runtime = {.settings = &settings};
    struct grc_plugin plugin = {.routes = routes, .route_count = 2, .runtime = &runtime};
    struct grc_call *call = calloc(1, sizeof(*call));
    struct grc_wire wire;
    enum grc_ask ask = GRC_ASK_READY;

    (void)state;
    assert_non_null(call);
    routes[0].row = routes[1].row = &row;
    grc_call_begin(call, &runtime, &plugin);
    call->route = &routes[1];
    grc_wire_begin(&wire, ROOM);
    grc_call_write(&wire, call, GRC_ASK_HANDLE, 5);
    gr_str frame = grc_wire_frame(&wire, GRC_FRAME_CALL, 0);
    grc_call_end(call);
    for (size_t count = 0; count <= 2; count++) {
        struct grc_unwire unwire = open_frame(frame);

        plugin.route_count = count;
        grc_call_begin(call, &runtime, &plugin);
        assert_int_equal(grc_call_read(&unwire, call, &ask), count == 2);
        assert_ptr_equal(call->route, count == 2 ? &routes[1] : NULL);
        grc_call_end(call);
    }
    assert_int_equal(ask, GRC_ASK_HANDLE);
    grc_wire_done(&wire);
    grc_call_done(call);
    free(call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_payload_that_was_cut_is_broken),
        cmocka_unit_test(a_count_beyond_its_limit_is_broken),
        cmocka_unit_test(a_text_whose_end_is_missing_is_broken),
        cmocka_unit_test(what_does_not_fit_gives_no_frame),
        cmocka_unit_test(a_call_with_a_route_that_is_not_there_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
