/* What all spans of a batch have in common: the resource that they come from. */
#pragma once

#include "base/buf.h"
#include "config/settings.h"

/* Writes the body of an export request (ExportTraceServiceRequest) up to its first span. Spans
 * follow with commas between them, and then GRC_RESOURCE_END. */
enum gr_err grc_resource_write(struct grc_buf *out, const struct grc_trace_settings *settings);
#define GRC_RESOURCE_END "]}]}]}"
