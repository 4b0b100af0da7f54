/*
 * One at a time, by name: calls that work on the same thing take turns. The names are those of the
 * process, so that calls of an old and of a new config see each other. Thread-safe; who waits
 * parks.
 */
#pragma once

#include <greenroom/plugin.h>

/*
 * Waits until no other holder has the key of that owner (a plugin's name), then holder has it.
 * GR_OK also when it has it already: *ret_new tells, and each new one is ended with
 * grc_exclusive_leave(). GR_ERR_TIMEOUT at deadline_ms (monotonic; GRC_NEVER_MS: none),
 * GR_ERR_CANCELLED when the call is no longer wanted, GR_ERR_NO_MEMORY.
 */
enum gr_err grc_exclusive_enter(const char *owner, gr_str key, const void *holder,
                                int64_t deadline_ms, bool *ret_new);
void grc_exclusive_leave(const char *owner, gr_str key);
/* Keys that are held now. */
size_t grc_exclusive_count(void);
