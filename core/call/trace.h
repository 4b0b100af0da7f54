/* W3C Trace Context (https://www.w3.org/TR/trace-context/): who belongs to which trace. Pure
 * functions over texts; thread-safe. */
#pragma once

#include <greenroom/plugin.h>

/* "00-" trace-id "-" parent-id "-" flags, with its NUL. */
#define GRC_TRACE_BYTES 56
#define GRC_SPAN_BYTES 17

/* Takes a client's traceparent, of this version or a later one. What goes on is version 00 with the
 * sampled flag as it was. false and no change when it is not valid. */
bool grc_trace_accept(gr_str header, char ret_parent[GRC_TRACE_BYTES]);
/* A trace of our own, sampled. */
void grc_trace_begin(char ret_parent[GRC_TRACE_BYTES]);
/* The same trace with a fresh span id, which is also given alone. */
void grc_trace_child(const char parent[GRC_TRACE_BYTES], char ret_child[GRC_TRACE_BYTES],
                     char ret_span[GRC_SPAN_BYTES]);
/* Is this a tracestate worth passing on? */
bool grc_trace_state_good(gr_str state);
