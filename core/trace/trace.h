/*
 * The recording of one request or timer run: its spans, written as OTLP JSON when they end
 * (https://opentelemetry.io/docs/specs/otlp/). Kept apart from the call's memory, so that recording
 * never makes a request fail: what finds no room is dropped and counted.
 */
#pragma once

#include "base/log.h"
#include "trace/tracer.h"

struct grc_trace;

/* As OTLP numbers them. */
enum grc_span_kind { GRC_SPAN_INTERNAL = 1, GRC_SPAN_SERVER = 2, GRC_SPAN_CLIENT = 3 };

struct grc_span {
    const char *context; /* of this span */
    gr_str parent_id;    /* empty: it has no parent */
    const char *name;
    enum grc_span_kind kind;
    int64_t began_us; /* monotonic */
    int64_t ended_us;
    bool failed;
    /* Attributes. Those with an empty text are left out. They must not hold secrets, so nothing
     * that a client or an upstream sent, unless it is one of a few known values. */
    const struct grc_log_field *attributes;
};

/* Begins a recording; NULL without memory. state is the tracestate for the spans, and has to live
 * as long as the recording. */
struct grc_trace *grc_trace_new(struct grc_tracer *tracer, gr_str state);
/* Adds a span that has ended. Thread-safe: the calls of one request to upstreams may run at the
 * same time. Does nothing if trace is NULL. */
void grc_trace_add(struct grc_trace *trace, const struct grc_span *span);
/* Hands the spans over to the exporter, and frees the recording. NULL is fine. */
void grc_trace_end(struct grc_trace *trace);
/* Frees the recording with its spans, which do not count as dropped. NULL is fine. */
void grc_trace_discard(struct grc_trace *trace);
