/* trace/trace.h, trace/tracer.h, otlp/resource.h, base/pairs.h: spans, and the queue in which they
 * wait */
#include "trace/trace.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/pairs.h"
#include "otlp/resource.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CONTEXT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define THREADS 4
#define TRACES 2000

static const struct grc_trace_settings settings = {
    .ratio = 1, .queue_max = 16, .batch_max = 4, .delay_ms = 20000};

static void add(struct grc_trace *trace, const char *name, const struct grc_log_field *attributes)
{
    const struct grc_span span = {.context = CONTEXT,
                                  .name = name,
                                  .kind = GRC_SPAN_CLIENT,
                                  .began_us = 1000000,
                                  .ended_us = 2000000,
                                  .failed = attributes != NULL,
                                  .attributes = attributes};

    grc_trace_add(trace, &span);
}

static void put_trace(struct grc_tracer *tracer, unsigned spans)
{
    struct grc_trace *trace = grc_trace_new(tracer, (gr_str){NULL, 0});

    assert_non_null(trace);
    for (unsigned i = 0; i < spans; i++)
        add(trace, "span", NULL);
    grc_trace_end(trace);
}

/* Takes all spans from the queue, releases them, and returns how many there were. */
static unsigned drain(struct grc_tracer *tracer)
{
    unsigned count = 0;

    for (struct grc_spans *at = grc_tracer_take(tracer); at;) {
        struct grc_spans *spans = at;

        at = at->next;
        count += spans->count;
        grc_tracer_let_go(tracer, spans->count);
        grc_spans_free(spans);
    }
    return count;
}

static json_t *parse(const struct grc_spans *spans)
{
    struct grc_buf text;

    grc_buf_init(&text, spans->text.len + 2);
    assert_int_equal(grc_buf_format(&text, "[%s]", spans->text.ptr), GR_OK);
    json_t *list = grc_json_parse(grc_buf_view(&text), GRC_JSON_DEPTH_MAX, NULL);
    assert_non_null(list);
    grc_buf_done(&text);
    return list;
}

static void a_span_is_written_as_otlp_has_it(void **state)
{
    struct grc_tracer *tracer = grc_tracer_new(&settings);
    struct grc_trace *trace = grc_trace_new(tracer, GR_STR("vendor=\"1\""));

    (void)state;
    add(trace, "GET \"/a\"",
        GRC_LOG_FIELDS(
            GRC_LT("text", "t\n"), GRC_LT("none", ""), GRC_LI("number", -7), GRC_LD("real", 1.5),
            ((struct grc_log_field){.key = gr_str_of("truth"), .kind = GRC_LOG_BOOL, .i = 1})));
    add(trace, "second", NULL);
    grc_trace_end(trace);
    struct grc_spans *spans = grc_tracer_take(tracer);
    assert_int_equal(spans->count, 2);
    json_t *list = parse(spans);
    json_t *wanted = json_loads(
        "{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"b7ad6b7169203331\","
        "\"traceState\":\"vendor=\\\"1\\\"\",\"flags\":1,\"name\":\"GET \\\"/a\\\"\",\"kind\":3,"
        "\"attributes\":[{\"key\":\"text\",\"value\":{\"stringValue\":\"t\\n\"}},"
        "{\"key\":\"number\",\"value\":{\"intValue\":\"-7\"}},"
        "{\"key\":\"real\",\"value\":{\"doubleValue\":1.5}},"
        "{\"key\":\"truth\",\"value\":{\"boolValue\":true}}],\"status\":{\"code\":2}}",
        0, NULL);
    json_t *first = json_array_get(list, 0);
    const char *began = json_string_value(json_object_get(first, "startTimeUnixNano"));
    const char *ended = json_string_value(json_object_get(first, "endTimeUnixNano"));
    assert_int_equal(strlen(began), 19);
    assert_int_equal(strtoll(ended, NULL, 10) - strtoll(began, NULL, 10), 1000000000);
    json_object_del(first, "startTimeUnixNano");
    json_object_del(first, "endTimeUnixNano");
    assert_true(json_equal(first, wanted));
    json_t *second = json_array_get(list, 1);
    assert_null(json_object_get(second, "status"));
    assert_null(json_object_get(second, "parentSpanId"));
    json_decref(wanted);
    json_decref(list);
    grc_tracer_let_go(tracer, spans->count);
    grc_spans_free(spans);
    grc_tracer_free(tracer);
}

static void what_finds_no_room_is_dropped_and_counted(void **state)
{
    struct grc_tracer *tracer = grc_tracer_new(&settings);
    uint64_t before = grc_spans_counted(GRC_SPANS_DROPPED);

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        put_trace(tracer, 3);
    put_trace(tracer, 2); /* a seventeenth */
    assert_int_equal(grc_spans_counted(GRC_SPANS_DROPPED) - before, 2);
    struct grc_spans *spans = grc_tracer_take(tracer);
    put_trace(tracer, 2); /* spans that were taken count until they are released */
    assert_int_equal(grc_spans_counted(GRC_SPANS_DROPPED) - before, 4);
    while (spans) {
        struct grc_spans *next = spans->next;

        grc_tracer_let_go(tracer, spans->count);
        grc_spans_free(spans);
        spans = next;
    }
    put_trace(tracer, 2);
    assert_int_equal(drain(tracer), 2);
    put_trace(tracer, 3);
    grc_tracer_free(tracer);
    assert_int_equal(grc_spans_counted(GRC_SPANS_DROPPED) - before, 7);
}

static void a_recording_is_bounded(void **state)
{
    const struct grc_trace_settings large = {.ratio = 1, .queue_max = 1000, .batch_max = 1000};
    struct grc_tracer *tracer = grc_tracer_new(&large);
    uint64_t before = grc_spans_counted(GRC_SPANS_DROPPED);
    char *name = malloc(40000);

    (void)state;
    put_trace(tracer, GRC_TRACE_SPANS_MAX + 5);
    assert_int_equal(grc_spans_counted(GRC_SPANS_DROPPED) - before, 5);
    assert_int_equal(drain(tracer), GRC_TRACE_SPANS_MAX);
    memset(name, 'x', 39999);
    name[39999] = '\0';
    struct grc_trace *trace = grc_trace_new(tracer, (gr_str){NULL, 0});
    add(trace, name, NULL);
    add(trace, "short", GRC_LOG_FIELDS(GRC_LT("long", name), GRC_LT("a", "b")));
    assert_int_equal(grc_spans_counted(GRC_SPANS_DROPPED) - before, 7);
    name[30000] = '\0';
    for (unsigned i = 0; i < 5; i++)
        add(trace, name, NULL);
    add(trace, "short", NULL);
    grc_trace_end(trace);
    struct grc_spans *spans = grc_tracer_take(tracer);
    assert_int_equal(spans->count, 5);
    assert_int_equal(grc_spans_counted(GRC_SPANS_DROPPED) - before, 8);
    json_t *list = parse(spans);
    assert_int_equal(json_array_size(list), 5);
    json_decref(list);
    grc_spans_free(spans);
    free(name);
    grc_tracer_free(tracer);
}

static void an_empty_recording_is_not_queued(void **state)
{
    struct grc_tracer *tracer = grc_tracer_new(&settings);

    (void)state;
    put_trace(tracer, 0);
    grc_trace_end(NULL);
    grc_trace_discard(NULL);
    add(NULL, "nowhere", NULL);
    struct grc_trace *trace = grc_trace_new(tracer, (gr_str){NULL, 0});
    add(trace, "unwanted", NULL);
    grc_trace_discard(trace);
    assert_null(grc_tracer_take(tracer));
    grc_tracer_free(tracer);
}

static void the_oldest_comes_first(void **state)
{
    struct grc_tracer *tracer = grc_tracer_new(&settings);

    (void)state;
    for (unsigned i = 1; i <= 3; i++)
        put_trace(tracer, i);
    struct grc_spans *at = grc_tracer_take(tracer);
    for (unsigned i = 1; i <= 3; i++) {
        struct grc_spans *spans = at;

        assert_int_equal(spans->count, i);
        at = at->next;
        grc_spans_free(spans);
    }
    assert_null(at);
    grc_tracer_free(tracer);
}

static void a_batch_and_a_wake_end_a_wait(void **state)
{
    struct grc_tracer *tracer = grc_tracer_new(&settings);
    const int64_t began_ms = grc_mono_ms();

    (void)state;
    put_trace(tracer, 2);
    put_trace(tracer, 2);
    grc_tracer_wait(tracer);
    assert_int_equal(drain(tracer), 4);
    grc_tracer_wake(tracer);
    grc_tracer_wait(tracer);
    assert_true(grc_mono_ms() - began_ms < settings.delay_ms);
    grc_tracer_free(tracer);
}

/* --- threads --- */

struct crowd {
    struct grc_tracer *tracer;
    _Atomic unsigned left;
};

static void *put_many(void *arg)
{
    struct crowd *crowd = arg;

    for (unsigned i = 0; i < TRACES; i++)
        put_trace(crowd->tracer, 1 + i % 2);
    atomic_fetch_sub(&crowd->left, 1);
    grc_tracer_wake(crowd->tracer);
    return NULL;
}

static void no_span_is_lost_or_taken_twice(void **state)
{
    struct crowd crowd = {grc_tracer_new(&settings), THREADS};
    uint64_t dropped = grc_spans_counted(GRC_SPANS_DROPPED);
    pthread_t threads[THREADS];
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, &crowd), 0);
    while (atomic_load(&crowd.left) > 0) {
        grc_tracer_wait(crowd.tracer);
        taken += drain(crowd.tracer);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    taken += drain(crowd.tracer);
    dropped = grc_spans_counted(GRC_SPANS_DROPPED) - dropped;
    assert_int_equal(taken + dropped, THREADS * TRACES * 3 / 2);
    grc_tracer_free(crowd.tracer);
}

struct shared {
    struct grc_trace *trace;
};

static void *add_many(void *arg)
{
    const struct shared *shared = arg;

    for (unsigned i = 0; i < GRC_TRACE_SPANS_MAX / THREADS; i++)
        add(shared->trace, "at the same time", NULL);
    return NULL;
}

static void threads_may_add_to_one_recording(void **state)
{
    const struct grc_trace_settings large = {.ratio = 1, .queue_max = 1000, .batch_max = 1000};
    struct grc_tracer *tracer = grc_tracer_new(&large);
    struct shared shared = {grc_trace_new(tracer, (gr_str){NULL, 0})};
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, &shared), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    grc_trace_end(shared.trace);
    struct grc_spans *spans = grc_tracer_take(tracer);
    json_t *list = parse(spans);
    assert_int_equal(json_array_size(list), GRC_TRACE_SPANS_MAX);
    json_decref(list);
    grc_spans_free(spans);
    grc_tracer_free(tracer);
}

/* --- sampling --- */

static bool samples(double ratio, bool ignores, const char *given, bool with_parent)
{
    const struct grc_trace_settings some = {.ratio = ratio, .ignores_parent = ignores};
    struct grc_tracer *tracer = grc_tracer_new(&some);
    char context[GRC_CONTEXT_BYTES];

    snprintf(context, sizeof(context), "%s", given);
    grc_tracer_decide(tracer, context, with_parent);
    grc_tracer_free(tracer);
    return grc_context_sampled(context);
}

static void the_ratio_goes_by_the_trace_id(void **state)
{
    const char *least = "00-ffffffffffffffffff00000000000000-b7ad6b7169203331-01";
    const char *most = "00-000000000000000000ffffffffffffff-b7ad6b7169203331-00";
    const char *middle = "00-00000000000000000080000000000000-b7ad6b7169203331-00";

    (void)state;
    assert_true(samples(1, false, least, false));
    assert_true(samples(1, false, most, false));
    assert_false(samples(0, false, least, false));
    assert_false(samples(0, false, most, false));
    assert_true(samples(0.5, false, middle, false));
    assert_false(samples(0.49, false, middle, false));
    assert_true(samples(0, false, least, true)); /* as the caller says */
    assert_false(samples(1, false, most, true));
    assert_false(samples(0.5, true, least, true));
    assert_true(samples(0.5, true, most, true));
}

/* --- other processes --- */

static void spans_of_others_are_checked(void **state)
{
    (void)state;
    struct grc_spans *spans = grc_spans_read(2, GR_STR("{\"a\":1},{}"));
    assert_non_null(spans);
    assert_string_equal(spans->text.ptr, "{\"a\":1},{}");
    grc_spans_free(spans);
    assert_null(grc_spans_read(1, GR_STR("{\"a\":1},{}")));
    assert_null(grc_spans_read(1, GR_STR("{\"a\":")));
    assert_null(grc_spans_read(1, GR_STR("]")));
    assert_null(grc_spans_read(1, GR_STR("")));
    assert_null(grc_spans_read(0, (gr_str){NULL, 0}));
}

/* --- the resource --- */

static void resource(const struct grc_trace_settings *some, const char *first)
{
    struct grc_buf out;

    grc_buf_init(&out, 65536);
    assert_int_equal(grc_resource_write(&out, some), GR_OK);
    assert_int_equal(grc_buf_text(&out, "{}" GRC_RESOURCE_END), GR_OK);
    json_t *json = grc_json_parse(grc_buf_view(&out), GRC_JSON_DEPTH_MAX, NULL);
    assert_non_null(json);
    if (!strstr(out.ptr, first))
        fail_msg("no %s in %s", first, out.ptr);
    json_decref(json);
    grc_buf_done(&out);
}

static void the_resource_has_a_name(void **state)
{
    (void)state;
    resource(&(const struct grc_trace_settings){.queue_max = 1},
             "[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"greenroom\"}}");
    resource(&(const struct grc_trace_settings){.resource = "service.name=a%20b,x=1"},
             "[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"a b\"}},{\"key\":\"x\"");
    resource(
        &(const struct grc_trace_settings){.resource = "service.name=a,x=1", .service_name = "b"},
        "[{\"key\":\"x\",\"value\":{\"stringValue\":\"1\"}},{\"key\":\"service.name\","
        "\"value\":{\"stringValue\":\"b\"}}");
}

static void lists_of_pairs_are_read(void **state)
{
    gr_str list = GR_STR(" a = 1 ,b=,c=x=y");
    gr_str name;
    gr_str value;

    (void)state;
    assert_true(grc_pairs_next(&list, &name, &value));
    assert_true(gr_str_eq(name, GR_STR("a")) && gr_str_eq(value, GR_STR("1")));
    assert_true(grc_pairs_next(&list, &name, &value));
    assert_true(gr_str_eq(name, GR_STR("b")) && value.len == 0);
    assert_true(grc_pairs_next(&list, &name, &value));
    assert_true(gr_str_eq(name, GR_STR("c")) && gr_str_eq(value, GR_STR("x=y")));
    assert_false(grc_pairs_next(&list, &name, &value));
    assert_true(grc_pairs_good(GR_STR("")));
    assert_true(grc_pairs_good(GR_STR("a=%20b, c=d")));
    assert_false(grc_pairs_good(GR_STR("a=%2")));
    assert_false(grc_pairs_good(GR_STR("a=%0a")));
    assert_false(grc_pairs_good(GR_STR("a b=c")));
    assert_false(grc_pairs_good(GR_STR("=c")));
    assert_false(grc_pairs_good(GR_STR("a=b,c")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_is_written_as_otlp_has_it),
        cmocka_unit_test(what_finds_no_room_is_dropped_and_counted),
        cmocka_unit_test(a_recording_is_bounded),
        cmocka_unit_test(an_empty_recording_is_not_queued),
        cmocka_unit_test(the_oldest_comes_first),
        cmocka_unit_test(a_batch_and_a_wake_end_a_wait),
        cmocka_unit_test(no_span_is_lost_or_taken_twice),
        cmocka_unit_test(threads_may_add_to_one_recording),
        cmocka_unit_test(the_ratio_goes_by_the_trace_id),
        cmocka_unit_test(spans_of_others_are_checked),
        cmocka_unit_test(the_resource_has_a_name),
        cmocka_unit_test(lists_of_pairs_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
