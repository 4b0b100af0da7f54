/*
 * Sends spans to a collector with a thread of its own: OTLP over HTTP, in JSON
 * (https://opentelemetry.io/docs/specs/otlp/#otlphttp), as an upstream of the gateway like any
 * other, with its time-outs, retries and breaker. What cannot be sent is dropped and counted.
 */
#pragma once

#include "trace/tracer.h"
#include "upstream/upstream.h"

struct grc_exporter;

/* The name of the collector among the upstreams. It has a ':', which no name in the config can
 * have. */
#define GRC_EXPORTER_UPSTREAM "traces:collector"

/* Adds the collector to the upstreams. Returns false after a report when that fails. */
bool grc_exporter_define(struct grc_upstreams *upstreams, const struct grc_trace_settings *settings,
                         grc_report_fn *report, void *arg);
/* Starts the thread. Everything is borrowed until grc_exporter_stop(). NULL without memory. */
struct grc_exporter *grc_exporter_start(struct grc_tracer *tracer, struct grc_upstreams *upstreams,
                                        const struct grc_trace_settings *settings);
/* Sends the spans that wait, for a second at most, and ends the thread. NULL is allowed. */
void grc_exporter_stop(struct grc_exporter *exporter);
