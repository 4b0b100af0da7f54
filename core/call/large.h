/*
 * Turns of large bodies. A tree of JSON takes up to eighty times as much memory as its text, and
 * its parse more time than a worker keeps its turn for. So all large trees of the process together
 * have a limit, and a body that does not fit waits, which holds no worker. Thread-safe.
 */
#pragma once

#include <greenroom/plugin.h>

/* Counts a tree of so many bytes until grc_large_leave(); waits for room among total_max. One that
 * is alone always fits. GR_OK, GR_ERR_OVERLOAD when there is no room before the deadline
 * (monotonic), GR_ERR_CANCELLED, GR_ERR_NO_MEMORY. A caller holds one at a time. */
enum gr_err grc_large_enter(size_t bytes, size_t total_max, int64_t deadline_ms);
void grc_large_leave(size_t bytes);
