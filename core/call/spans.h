/* The trace of a call: whether it has one, what is recorded of it, and its spans, with the names of
 * OpenTelemetry's semantic conventions. Used by the thread of the call. */
#pragma once

#include "call/call.h"

/* The caller's tracestate, when it may be passed on; else the empty slice. */
gr_str grc_call_tracestate(const struct grc_call *call);

/* Joins the trace that the caller's traceparent names, or begins one where the config says so. */
void grc_call_trace_begin(struct grc_call *call, gr_str traceparent);
/* Records the request, and hands its spans over to the exporter. sent: the client got its answer.
 */
void grc_call_trace_end(struct grc_call *call, bool sent);

/* The same for one run of a timer, where traces are exported. */
void grc_call_trace_begin_timer(struct grc_call *call);
void grc_call_trace_end_timer(struct grc_call *call, const char *name, int64_t began_us,
                              enum gr_err err);

/* In the process of an isolated group: records what a call does there, as the gateway decided. */
void grc_call_trace_go_on(struct grc_call *call);

/* A part of a call, as a span below the call's. Without a recording both functions do nothing. */
struct grc_part {
    int64_t began_us;
    char context[GRC_CONTEXT_BYTES];
};
void grc_part_begin(const struct grc_call *call, struct grc_part *part);
/* attributes may be NULL. */
void grc_part_end(const struct grc_call *call, const struct grc_part *part, enum grc_span_kind kind,
                  const char *name, enum gr_err err, const struct grc_log_field *attributes);
