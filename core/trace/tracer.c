#include "trace/tracer.h"

#include "base/json.h"
#include "metrics/metrics.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How many values the random part of a trace id can have. */
#define RANDOMNESS ((uint64_t)1 << 56)

struct grc_tracer {
    const struct grc_trace_settings *settings;
    uint64_t threshold; /* a trace with a smaller random part is not recorded */
    int wake;           /* an eventfd */
    _Atomic(struct grc_spans *) newest;
    _Atomic int64_t waiting; /* spans that were queued, until grc_tracer_let_go() */
};

/* Process-wide, so that a reload does not reset them. */
static _Atomic uint64_t fates[GRC_SPANS_FATES];
static grc_spans_sink_fn *diverted; /* NULL: spans are queued here */

struct grc_spans *grc_spans_read(unsigned count, gr_str text)
{
    struct grc_spans *spans = calloc(1, sizeof(*spans));

    if (!spans)
        return NULL;
    grc_buf_init(&spans->text, text.len + 2);
    json_t *list = NULL;
    if (grc_buf_format(&spans->text, "[%.*s]", (int)text.len, text.ptr) == GR_OK)
        list = grc_json_parse(grc_buf_view(&spans->text), GRC_JSON_DEPTH_MAX, NULL);
    bool fine = count > 0 && json_array_size(list) == count;
    json_decref(list);
    grc_buf_clear(&spans->text);
    spans->count = count;
    if (fine && grc_buf_str(&spans->text, text) == GR_OK)
        return spans;
    grc_spans_free(spans);
    return NULL;
}

void grc_spans_free(struct grc_spans *spans)
{
    if (!spans)
        return;
    grc_buf_done(&spans->text);
    free(spans);
}

void grc_spans_count(enum grc_spans_fate fate, uint64_t spans)
{
    atomic_fetch_add_explicit(&fates[fate], spans, memory_order_relaxed);
}

uint64_t grc_spans_counted(enum grc_spans_fate fate)
{
    return atomic_load_explicit(&fates[fate], memory_order_relaxed);
}

void grc_spans_divert(grc_spans_sink_fn *sink)
{
    diverted = sink;
}

struct grc_tracer *grc_tracer_new(const struct grc_trace_settings *settings)
{
    struct grc_tracer *tracer = calloc(1, sizeof(*tracer));

    if (!tracer)
        return NULL;
    tracer->settings = settings;
    tracer->threshold = (uint64_t)((1.0 - settings->ratio) * (double)RANDOMNESS);
    tracer->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (tracer->wake < 0) {
        free(tracer);
        return NULL;
    }
    return tracer;
}

void grc_tracer_free(struct grc_tracer *tracer)
{
    if (!tracer)
        return;
    for (struct grc_spans *at = grc_tracer_take(tracer); at;) {
        struct grc_spans *spans = at;

        at = at->next;
        grc_spans_count(GRC_SPANS_DROPPED, spans->count);
        grc_spans_free(spans);
    }
    close(tracer->wake);
    free(tracer);
}

/* As in OpenTelemetry's consistent probability sampling, all services with the same ratio come to
 * the same decision. */
void grc_tracer_decide(const struct grc_tracer *tracer, char context[GRC_CONTEXT_BYTES],
                       bool with_parent)
{
    if (with_parent && !tracer->settings->ignores_parent)
        return;
    grc_context_sample(context, grc_context_randomness(context) >= tracer->threshold);
}

/* --- the queue: a stack to which any thread adds, and which the exporter takes as a whole --- */

static void push(struct grc_tracer *tracer, struct grc_spans *spans)
{
    spans->next = atomic_load_explicit(&tracer->newest, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&tracer->newest, &spans->next, spans,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

void grc_tracer_put(struct grc_tracer *tracer, struct grc_spans *stolen)
{
    const int64_t count = stolen->count;

    if (diverted) {
        diverted(stolen);
        grc_spans_free(stolen);
        return;
    }
    int64_t before = atomic_fetch_add(&tracer->waiting, count);
    if (before + count > tracer->settings->queue_max) {
        atomic_fetch_sub(&tracer->waiting, count);
        grc_spans_count(GRC_SPANS_DROPPED, stolen->count);
        grc_spans_free(stolen);
        return;
    }
    push(tracer, stolen);
    if (before < tracer->settings->batch_max && before + count >= tracer->settings->batch_max)
        grc_tracer_wake(tracer);
}

struct grc_spans *grc_tracer_take(struct grc_tracer *tracer)
{
    struct grc_spans *at = atomic_exchange_explicit(&tracer->newest, NULL, memory_order_acquire);
    struct grc_spans *oldest = NULL;

    while (at) {
        struct grc_spans *next = at->next;

        at->next = oldest;
        oldest = at;
        at = next;
    }
    return oldest;
}

void grc_tracer_let_go(struct grc_tracer *tracer, unsigned spans)
{
    atomic_fetch_sub(&tracer->waiting, spans);
}

void grc_tracer_wake(struct grc_tracer *tracer)
{
    const uint64_t one = 1;

    (void)!write(tracer->wake, &one, sizeof(one)); /* fails only when it is woken already */
}

void grc_tracer_wait(struct grc_tracer *tracer)
{
    struct pollfd ready = {.fd = tracer->wake, .events = POLLIN};
    uint64_t woken;

    (void)poll(&ready, 1, (int)tracer->settings->delay_ms);
    (void)!read(tracer->wake, &woken, sizeof(woken));
}

/* --- metrics --- */

void grc_tracer_report(const struct grc_tracer *tracer, struct grc_buf *out)
{
    static const char *const names[] = {[GRC_SPANS_EXPORTED] = "exported",
                                        [GRC_SPANS_REJECTED] = "rejected",
                                        [GRC_SPANS_FAILED] = "failed",
                                        [GRC_SPANS_DROPPED] = "dropped"};
    uint64_t sum = 0;

    for (size_t i = 0; i < GRC_SPANS_FATES; i++)
        sum += grc_spans_counted((enum grc_spans_fate)i);
    if (!tracer && sum == 0)
        return;
    grc_metrics_head(out, "trace_spans_total", "counter", "Spans of recorded traces, by result");
    for (size_t i = 0; i < GRC_SPANS_FATES; i++) {
        char labels[32];

        snprintf(labels, sizeof(labels), "outcome=\"%s\"", names[i]);
        grc_metrics_sample(out, "trace_spans_total", labels,
                           (double)grc_spans_counted((enum grc_spans_fate)i));
    }
    grc_metrics_head(out, "trace_spans_waiting", "gauge", "Spans that wait to be exported");
    grc_metrics_sample(out, "trace_spans_waiting", NULL,
                       tracer ? (double)atomic_load(&tracer->waiting) : 0);
}
