/*
 * Lets calls that work on the same thing run one at a time, by a key. Keys belong to the process,
 * so that calls of an old and of a new config exclude each other. A call that waits parks.
 * Thread-safe.
 */
#pragma once

#include <greenroom/plugin.h>

/*
 * Waits until no other holder has the key of this owner (a plugin's name), and gives it to the
 * holder. Returns GR_OK also when the holder has it already; *ret_new tells whether this call of
 * the function needs a grc_exclusive_leave(). GR_ERR_TIMEOUT at deadline_ms (monotonic;
 * GRC_NEVER_MS: none), GR_ERR_CANCELLED when the call was cancelled, GR_ERR_NO_MEMORY.
 */
enum gr_err grc_exclusive_enter(const char *owner, gr_str key, const void *holder,
                                int64_t deadline_ms, bool *ret_new);
void grc_exclusive_leave(const char *owner, gr_str key);
/* The number of keys that are held now. */
size_t grc_exclusive_count(void);
