/*
 * Stretches of a recording, [[start_ms,end_ms],…], relative to the recording's start. All functions
 * turn JSON into JSON and depend on nothing else; those that return json_t return a new reference.
 */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

/* Reads what a convert task reports: lines of "<start, Unix ms>,<duration, s>". NULL when it cannot
 * be read. */
json_t *mini_segments_parse(gr_str text, int64_t *ret_started_ms);
/* The end of the last stretch; 0 when there is none. */
int64_t mini_segments_end(const json_t *segments);
/* True for a list of [start,end] pairs of integers with 0 <= start <= end, none of them so large
 * that sums with it could overflow. */
bool mini_segments_valid(const json_t *segments);
/* True for a recording's start, an integer in Unix ms between 1970 and 9999. */
bool mini_segments_start_valid(const json_t *started_ms);
/* The stretches in which the agent was pinned. events: the room's events of type pin, in order,
 * with occurred_at in ns. shift_ms: what to subtract to get from the event room's time to the
 * recording's. end_ms: the recording's end. */
json_t *mini_segments_pinned(const json_t *events, const char *agent, int64_t shift_ms,
                             int64_t end_ms);
/* The stretches in which a flag, "send_video" or "send_audio", was off for this stream. */
json_t *mini_segments_muted(const json_t *snapshots, const char *rtc_id, const char *flag,
                            int64_t started_ms, int64_t end_ms);
