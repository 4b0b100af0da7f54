/*
 * Limits the memory of all large JSON trees together, since a tree takes up to eighty times as much
 * memory as its text, and parsing it more time than a worker's turn. A body that does not fit
 * waits, without blocking a worker. Thread-safe.
 */
#pragma once

#include <greenroom/plugin.h>

/* Counts a tree until grc_large_leave(), after waiting until all trees together fit into total_max.
 * A single tree always fits. GR_ERR_OVERLOAD if there is no room before the deadline (monotonic),
 * GR_ERR_CANCELLED, GR_ERR_NO_MEMORY. A caller may have one tree at a time. */
enum gr_err grc_large_enter(size_t bytes, size_t total_max, int64_t deadline_ms);
void grc_large_leave(size_t bytes);
