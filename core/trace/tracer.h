/*
 * The traces of a runtime: which requests are recorded, and the queue in which their spans wait for
 * the exporter. Thread-safe. The queue takes no lock, is bounded, and drops what finds no room.
 */
#pragma once

#include "base/buf.h"
#include "config/settings.h"
#include "trace/context.h"

struct grc_tracer;

/* Finished spans of one trace: OTLP JSON texts with commas between them. */
struct grc_spans {
    struct grc_spans *next;
    unsigned count;
    struct grc_buf text;
};
/* The most spans of one recording. */
#define GRC_TRACE_SPANS_MAX 128u
/* Copies spans that another process wrote. Returns NULL without memory, and if the text is not a
 * list of count objects. */
struct grc_spans *grc_spans_read(unsigned count, gr_str text);
void grc_spans_free(struct grc_spans *spans);

/* What became of spans, for the metrics. */
enum grc_spans_fate {
    GRC_SPANS_EXPORTED = 0,
    GRC_SPANS_REJECTED, /* the collector took the batch without them */
    GRC_SPANS_FAILED,   /* the collector could not be reached, or refused the batch */
    GRC_SPANS_DROPPED,  /* the queue was full, a trace too large, or there was no memory */
    GRC_SPANS_FATES
};
void grc_spans_count(enum grc_spans_fate fate, uint64_t spans);
uint64_t grc_spans_counted(enum grc_spans_fate fate);

/* settings is borrowed as long as the tracer lives. NULL without memory or descriptors. */
struct grc_tracer *grc_tracer_new(const struct grc_trace_settings *settings);
void grc_tracer_free(struct grc_tracer *tracer);

/* Decides whether a trace is recorded, and says so in its sampled flag. with_parent: the context
 * came from a caller, whose decision the parent-based sampler follows. */
void grc_tracer_decide(const struct grc_tracer *tracer, char context[GRC_CONTEXT_BYTES],
                       bool with_parent);
/* Queues spans, or drops and counts them. Never waits. */
void grc_tracer_put(struct grc_tracer *tracer, struct grc_spans *stolen);

/*
 * In the process of an isolated group, spans are given to a sink, which sends them to the gateway.
 * Set it before there are threads; it is called on any of them.
 */
typedef void grc_spans_sink_fn(const struct grc_spans *spans);
void grc_spans_divert(grc_spans_sink_fn *sink);

/* --- for the exporter, one thread at a time --- */

/* Waits until enough spans for a batch are there, for the delay of the settings, or until it is
 * woken. */
void grc_tracer_wait(struct grc_tracer *tracer);
/* Ends a wait; may be called by any thread. */
void grc_tracer_wake(struct grc_tracer *tracer);
/* Takes all that is queued, the oldest first. They count towards the bound of the queue until
 * grc_tracer_let_go(). */
struct grc_spans *grc_tracer_take(struct grc_tracer *tracer);
void grc_tracer_let_go(struct grc_tracer *tracer, unsigned spans);

/* Writes the metrics: spans by fate, and those that wait. tracer may be NULL. */
void grc_tracer_report(const struct grc_tracer *tracer, struct grc_buf *out);
