#include "trace/trace.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>

/* Bounds of one recording. */
#define TEXT_MAX_BYTES ((size_t)128 * 1024)

struct grc_trace {
    struct grc_tracer *tracer;
    struct grc_spans *spans;
    gr_str state;
    int64_t wall_us;      /* added to a monotonic time, it gives the wall clock */
    pthread_mutex_t lock; /* of the spans; held while one is written */
};

struct grc_trace *grc_trace_new(struct grc_tracer *tracer, gr_str state)
{
    struct grc_trace *trace = calloc(1, sizeof(*trace));
    struct grc_spans *spans = calloc(1, sizeof(*spans));

    if (!trace || !spans) {
        free(trace);
        free(spans);
        return NULL;
    }
    grc_buf_init(&spans->text, TEXT_MAX_BYTES);
    *trace = (struct grc_trace){
        .tracer = tracer,
        .spans = spans,
        .state = state,
        .wall_us = grc_now_us() - grc_mono_us(),
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    return trace;
}

/* --- writing one span --- */

/* Marks the buffer as full after the first piece that finds no room, since the text would be broken
 * if a smaller piece followed. */
static void put(struct grc_buf *out, enum gr_err err)
{
    if (err != GR_OK)
        out->max_bytes = out->len;
}

/* 64-bit numbers are strings in the JSON form of protocol buffers. */
static void add_value(struct grc_buf *out, const struct grc_log_field *field)
{
    switch (field->kind) {
    case GRC_LOG_STR:
        put(out, grc_buf_text(out, "{\"stringValue\":"));
        put(out, grc_buf_json_string(out, field->s));
        break;
    case GRC_LOG_INT:
        put(out, grc_buf_format(out, "{\"intValue\":\"%lld\"", (long long)field->i));
        break;
    case GRC_LOG_REAL:
        put(out, grc_buf_format(out, "{\"doubleValue\":%.6f", field->d));
        break;
    case GRC_LOG_BOOL:
        put(out, grc_buf_format(out, "{\"boolValue\":%s", field->i ? "true" : "false"));
        break;
    case GRC_LOG_END:
        break;
    }
    put(out, grc_buf_char(out, '}'));
}

static void add_attributes(struct grc_buf *out, const struct grc_log_field *field)
{
    bool first = true;

    put(out, grc_buf_text(out, ",\"attributes\":["));
    for (; field && field->kind != GRC_LOG_END; field++) {
        if (field->kind == GRC_LOG_STR && field->s.len == 0)
            continue;
        put(out, grc_buf_text(out, first ? "{\"key\":" : ",{\"key\":"));
        put(out, grc_buf_json_string(out, field->key));
        put(out, grc_buf_text(out, ",\"value\":"));
        add_value(out, field);
        put(out, grc_buf_char(out, '}'));
        first = false;
    }
    put(out, grc_buf_char(out, ']'));
}

static void add_time(struct grc_buf *out, const char *name, int64_t wall_us)
{
    put(out, grc_buf_format(out, ",\"%s\":\"%lld000\"", name, (long long)wall_us));
}

static enum gr_err add_span(struct grc_buf *out, const struct grc_trace *trace,
                            const struct grc_span *span)
{
    put(out, grc_buf_format(out, "{\"traceId\":\"%.32s\",\"spanId\":\"%.16s\"",
                            grc_context_trace_id(span->context).ptr,
                            grc_context_span_id(span->context).ptr));
    if (span->parent_id.len)
        put(out, grc_buf_format(out, ",\"parentSpanId\":\"%.16s\"", span->parent_id.ptr));
    if (trace->state.len) {
        put(out, grc_buf_text(out, ",\"traceState\":"));
        put(out, grc_buf_json_string(out, trace->state));
    }
    put(out, grc_buf_text(out, ",\"flags\":1,\"name\":"));
    put(out, grc_buf_json_string(out, gr_str_of(span->name)));
    put(out, grc_buf_format(out, ",\"kind\":%d", (int)span->kind));
    add_time(out, "startTimeUnixNano", span->began_us + trace->wall_us);
    add_time(out, "endTimeUnixNano", span->ended_us + trace->wall_us);
    add_attributes(out, span->attributes);
    if (span->failed)
        put(out, grc_buf_text(out, ",\"status\":{\"code\":2}"));
    return grc_buf_char(out, '}');
}

void grc_trace_add(struct grc_trace *trace, const struct grc_span *span)
{
    struct grc_buf text;

    if (!trace)
        return;
    grc_buf_init(&text, TEXT_MAX_BYTES / 4);
    bool fine = add_span(&text, trace, span) == GR_OK;
    pthread_mutex_lock(&trace->lock);
    struct grc_spans *spans = trace->spans;
    fine = fine && spans->count < GRC_TRACE_SPANS_MAX &&
           grc_buf_reserve(&spans->text, text.len + 1) == GR_OK &&
           (spans->count == 0 || grc_buf_char(&spans->text, ',') == GR_OK) &&
           grc_buf_str(&spans->text, grc_buf_view(&text)) == GR_OK;
    spans->count += fine;
    pthread_mutex_unlock(&trace->lock);
    if (!fine)
        grc_spans_count(GRC_SPANS_DROPPED, 1);
    grc_buf_done(&text);
}

static void free_recording(struct grc_trace *trace)
{
    pthread_mutex_destroy(&trace->lock);
    free(trace);
}

void grc_trace_end(struct grc_trace *trace)
{
    if (!trace)
        return;
    if (trace->spans->count > 0)
        grc_tracer_put(trace->tracer, trace->spans);
    else
        grc_spans_free(trace->spans);
    free_recording(trace);
}

void grc_trace_discard(struct grc_trace *trace)
{
    if (!trace)
        return;
    grc_spans_free(trace->spans);
    free_recording(trace);
}
