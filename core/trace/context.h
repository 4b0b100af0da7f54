/* W3C Trace Context (https://www.w3.org/TR/trace-context/). Pure functions; thread-safe. A context
 * is the text of a traceparent of version 00. */
#pragma once

#include <greenroom/plugin.h>

/* "00-" trace-id "-" parent-id "-" flags, with its NUL. */
#define GRC_CONTEXT_BYTES 56

/* Reads a client's traceparent of version 00 or a later one, and writes it as version 00 with the
 * same sampled flag. Returns false, and changes nothing, when it is not valid. */
bool grc_context_accept(gr_str header, char ret_context[GRC_CONTEXT_BYTES]);
/* Begins a new, sampled trace. */
void grc_context_begin(char ret_context[GRC_CONTEXT_BYTES]);
/* Makes a context of the same trace with a new span id. The two may be the same array. */
void grc_context_child(const char parent[GRC_CONTEXT_BYTES], char ret_child[GRC_CONTEXT_BYTES]);
void grc_context_sample(char context[GRC_CONTEXT_BYTES], bool sampled);
bool grc_context_sampled(const char context[GRC_CONTEXT_BYTES]);
/* The last 56 bits of the trace id, which are random (W3C Trace Context, level 2). */
uint64_t grc_context_randomness(const char context[GRC_CONTEXT_BYTES]);
/* Slices of the context: 32 and 16 hexadecimal digits. The empty slice for an empty context. */
gr_str grc_context_trace_id(const char context[GRC_CONTEXT_BYTES]);
gr_str grc_context_span_id(const char context[GRC_CONTEXT_BYTES]);
/* True for a tracestate that may be passed on: printable ASCII of at most 512 bytes. */
bool grc_context_state_good(gr_str state);
