/* W3C Trace Context (https://www.w3.org/TR/trace-context/). Pure functions; thread-safe. */
#pragma once

#include <greenroom/plugin.h>

/* "00-" trace-id "-" parent-id "-" flags, with its NUL. */
#define GRC_TRACE_BYTES 56
#define GRC_SPAN_BYTES 17

/* Reads a client's traceparent of version 00 or a later one, and writes it as version 00 with the
 * same sampled flag. Returns false, and changes nothing, when it is not valid. */
bool grc_trace_accept(gr_str header, char ret_parent[GRC_TRACE_BYTES]);
/* Begins a new, sampled trace. */
void grc_trace_begin(char ret_parent[GRC_TRACE_BYTES]);
/* Makes a traceparent of the same trace with a new span id, which is also written to ret_span. */
void grc_trace_child(const char parent[GRC_TRACE_BYTES], char ret_child[GRC_TRACE_BYTES],
                     char ret_span[GRC_SPAN_BYTES]);
/* True for a tracestate that may be passed on: printable ASCII of at most 512 bytes. */
bool grc_trace_state_good(gr_str state);
