#include "otlp/exporter.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pairs.h"
#include "base/secure.h"
#include "base/thread.h"
#include "base/uri.h"
#include "otlp/resource.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STACK_BYTES ((size_t)256 * 1024)
#define HEADERS_MAX 16u
#define ANSWER_MAX "64k"
#define ARENA_MAX_BYTES ((size_t)1024 * 1024)
#define BATCH_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define WARN_EVERY_MS 60000
/* How long stopping may take. */
#define FLUSH_MS 1000

struct grc_exporter {
    const struct grc_trace_settings *settings;
    struct grc_tracer *tracer;
    struct grc_upstreams *upstreams;
    const char *target;
    char *header_texts; /* the decoded values; they may be secrets */
    size_t header_bytes;
    struct gr_pair headers[HEADERS_MAX];
    size_t header_count;
    struct grc_buf begin; /* a batch up to its spans */
    struct grc_buf batch;
    int64_t warned_ms;
    pthread_t thread;
    _Atomic bool stopping;
    _Atomic int64_t stop_by_ms; /* once it is stopping */
};

/* --- making it --- */

bool grc_exporter_define(struct grc_upstreams *upstreams, const struct grc_trace_settings *settings,
                         grc_report_fn *report, void *arg)
{
    gr_str origin;
    const char *path;
    char *reason = NULL;

    if (!grc_url_split(settings->url, &origin, &path))
        return false; /* the config would have been refused */
    json_t *object = json_pack("{s:o, s:I, s:I, s:i, s:i, s:s, s:s*}", "url",
                               json_stringn(origin.ptr, origin.len), "connect_timeout",
                               (json_int_t)settings->timeout_ms, "timeout",
                               (json_int_t)settings->timeout_ms, "retries", 2, "connections_max", 2,
                               "answer_max", ANSWER_MAX, "ca_file", settings->ca_file);
    struct grc_upstream_settings *made =
        grc_upstream_settings_parse("traces", GRC_EXPORTER_UPSTREAM, object, report, arg);
    json_decref(object);
    if (!made)
        return false;
    if (grc_upstreams_define(upstreams, made, &reason))
        return true;
    report(arg, reason ? reason : "out of memory");
    free(reason);
    return false;
}

/* Decodes the values of the headers one after the other. */
static bool read_headers(struct grc_exporter *exporter)
{
    gr_str list =
        exporter->settings->headers ? gr_str_of(exporter->settings->headers) : (gr_str){NULL, 0};
    gr_str name;
    gr_str value;
    size_t len = 0;

    exporter->header_bytes = list.len + 1;
    exporter->header_texts = malloc(exporter->header_bytes);
    char *at = exporter->header_texts;
    while (at && exporter->header_count < HEADERS_MAX && grc_pairs_next(&list, &name, &value)) {
        if (!grc_uri_decode(value, false, at, &len))
            return false; /* the config would have been refused */
        exporter->headers[exporter->header_count++] = (struct gr_pair){name, {at, len}};
        at += len;
    }
    return at != NULL;
}

static void exporter_free(struct grc_exporter *exporter)
{
    if (exporter->header_texts)
        grc_wipe(exporter->header_texts, exporter->header_bytes);
    free(exporter->header_texts);
    grc_buf_done(&exporter->begin);
    grc_buf_done(&exporter->batch);
    free(exporter);
}

/* --- one batch --- */

static bool time_is_up(void *arg)
{
    struct grc_exporter *exporter = arg;

    return atomic_load(&exporter->stopping) && grc_mono_ms() >= atomic_load(&exporter->stop_by_ms);
}

static void warn(struct grc_exporter *exporter, const char *message, int64_t number)
{
    const int64_t now_ms = grc_mono_ms();

    if (exporter->warned_ms && now_ms - exporter->warned_ms < WARN_EVERY_MS)
        return;
    exporter->warned_ms = now_ms;
    grc_log_fields(GR_LOG_WARN, message, GRC_LOG_FIELDS(GRC_LI("number", number)));
}

/* A collector may take a batch and reject some of its spans: {"partialSuccess": {"rejectedSpans":
 * "3", "errorMessage": "…"}}. */
static unsigned rejected_of(struct grc_exporter *exporter, gr_str answer, unsigned spans)
{
    json_t *json = answer.len ? grc_json_parse(answer, GRC_JSON_DEPTH_MAX, NULL) : NULL;
    const json_t *partial = json_object_get(json, "partialSuccess");
    const json_t *number = json_object_get(partial, "rejectedSpans");
    int64_t rejected = json_is_string(number) ? strtoll(json_string_value(number), NULL, 10)
                                              : json_integer_value(number);

    json_decref(json);
    if (rejected <= 0)
        return 0;
    warn(exporter, "the collector rejected spans", rejected);
    return rejected < spans ? (unsigned)rejected : spans;
}

static void send_batch(struct grc_exporter *exporter, unsigned spans)
{
    struct grc_arena arena;
    struct grc_exchange exchange = {
        .upstream = GRC_EXPORTER_UPSTREAM,
        .method = GR_METHOD_POST,
        .target = gr_str_of(exporter->target),
        .headers = exporter->headers,
        .header_count = exporter->header_count,
        .has_body = true,
        .body = grc_buf_view(&exporter->batch),
        .no_credential = true,
        .idempotent = true, /* a collector ignores a second span with the same id */
        .group = "core",
        .gone = time_is_up,
        .gone_arg = exporter,
        .arena = &arena,
    };

    grc_arena_init(&arena, ARENA_MAX_BYTES);
    grc_upstreams_run(exporter->upstreams, &exchange, 1);
    if (exchange.err == GR_OK && exchange.status >= 200 && exchange.status < 300) {
        unsigned rejected = rejected_of(exporter, exchange.answer, spans);

        grc_spans_count(GRC_SPANS_REJECTED, rejected);
        grc_spans_count(GRC_SPANS_EXPORTED, spans - rejected);
    } else {
        grc_spans_count(GRC_SPANS_FAILED, spans);
        if (exchange.err == GR_OK)
            warn(exporter, "the collector answered with an error status", exchange.status);
        else
            warn(exporter, "spans could not be sent to the collector", spans);
    }
    grc_arena_done(&arena);
}

/* --- the thread --- */

static bool begin_batch(struct grc_exporter *exporter)
{
    grc_buf_clear(&exporter->batch);
    return grc_buf_str(&exporter->batch, grc_buf_view(&exporter->begin)) == GR_OK;
}

static bool add(struct grc_exporter *exporter, const struct grc_spans *spans, bool first)
{
    return (first || grc_buf_char(&exporter->batch, ',') == GR_OK) &&
           grc_buf_str(&exporter->batch, grc_buf_view(&spans->text)) == GR_OK;
}

static void end_batch(struct grc_exporter *exporter, unsigned spans, bool fine)
{
    if (fine && !time_is_up(exporter) && grc_buf_text(&exporter->batch, GRC_RESOURCE_END) == GR_OK)
        send_batch(exporter, spans);
    else
        grc_spans_count(GRC_SPANS_FAILED, spans);
    grc_tracer_let_go(exporter->tracer, spans);
}

/* A trace is never divided between batches, so a batch may exceed batch_max by most of one trace.
 * */
static void export_all(struct grc_exporter *exporter)
{
    struct grc_spans *at = grc_tracer_take(exporter->tracer);

    while (at) {
        bool fine = begin_batch(exporter);
        unsigned count = 0;

        while (at && count < exporter->settings->batch_max) {
            struct grc_spans *spans = at;

            fine = fine && add(exporter, spans, count == 0);
            count += spans->count;
            at = at->next;
            grc_spans_free(spans);
        }
        end_batch(exporter, count, fine);
    }
}

static void *run(void *arg)
{
    struct grc_exporter *exporter = arg;

    while (!atomic_load(&exporter->stopping)) {
        grc_tracer_wait(exporter->tracer);
        export_all(exporter);
    }
    export_all(exporter);
    return NULL;
}

struct grc_exporter *grc_exporter_start(struct grc_tracer *tracer, struct grc_upstreams *upstreams,
                                        const struct grc_trace_settings *settings)
{
    struct grc_exporter *exporter = calloc(1, sizeof(*exporter));
    gr_str origin;

    if (!exporter)
        return NULL;
    exporter->settings = settings;
    exporter->tracer = tracer;
    exporter->upstreams = upstreams;
    grc_buf_init(&exporter->begin, BATCH_MAX_BYTES);
    grc_buf_init(&exporter->batch, BATCH_MAX_BYTES);
    if (grc_url_split(settings->url, &origin, &exporter->target) && read_headers(exporter) &&
        grc_resource_write(&exporter->begin, settings) == GR_OK &&
        grc_thread_start(&exporter->thread, STACK_BYTES, run, exporter))
        return exporter;
    exporter_free(exporter);
    return NULL;
}

void grc_exporter_stop(struct grc_exporter *exporter)
{
    if (!exporter)
        return;
    atomic_store(&exporter->stop_by_ms, grc_mono_ms() + FLUSH_MS);
    atomic_store(&exporter->stopping, true);
    grc_tracer_wake(exporter->tracer);
    pthread_join(exporter->thread, NULL);
    exporter_free(exporter);
}
