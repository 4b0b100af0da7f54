/*
 * Segments of a recording, [[start_ms,end_ms],…], relative to its start. The functions depend only
 * on their arguments; those that return json_t return a new reference.
 */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

/* Parses lines of "<start, Unix ms>,<duration, s>" from a convert task. NULL when malformed. */
json_t *mini_segments_parse(gr_str text, int64_t *ret_started_ms);
/* Returns the end of the last segment; 0 when there is none. */
int64_t mini_segments_end(const json_t *segments);
/* True for a list of pairs of integers [start,end] with 0 <= start <= end, and with an end that
 * cannot overflow in sums. */
bool mini_segments_valid(const json_t *segments);
/* True for a recording's start, an integer in Unix ms between 1970 and 9999. */
bool mini_segments_start_valid(const json_t *started_ms);
/* Returns the segments in which the agent was pinned. events: the events of type pin, in order,
 * with occurred_at in ns. shift_ms: subtracted from a time of the event room to get the time of the
 * recording. end_ms: end of the recording. */
json_t *mini_segments_pinned(const json_t *events, const char *agent, int64_t shift_ms,
                             int64_t end_ms);
/* Returns the segments in which flag, "send_video" or "send_audio", was false for this stream. */
json_t *mini_segments_muted(const json_t *snapshots, const char *rtc_id, const char *flag,
                            int64_t started_ms, int64_t end_ms);
