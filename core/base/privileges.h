/*
 * What the process may do to the machine, and what the machine may see of the process.
 *
 * Started as root with a user to become, it goes there in two steps. grc_privileges_lower() makes
 * it that user in effect, so that files are opened and made as that user, while the way back is
 * kept for one thing: ports below 1024. grc_privileges_raise_here() takes that way for the calling
 * thread alone. grc_privileges_drop() closes it, for all threads.
 */
#pragma once

#include <stdbool.h>

/*
 * Before there are threads. user NULL: does nothing. group NULL: the user's own. make_dir is made
 * for the user where it does not exist yet; NULL: nothing is. false with a reason (malloc'ed, one
 * line).
 */
bool grc_privileges_lower(const char *user, const char *group, const char *make_dir,
                          char **ret_reason);
/* The calling thread, and the threads it starts, are root again until they call
 * grc_privileges_thread() or any thread calls grc_privileges_drop(). Without effect when
 * grc_privileges_lower() lowered nothing. */
void grc_privileges_raise_here(void);
/* Drops root for good on the calling thread. A thread that was started by a raised one calls this
 * before anything else. */
void grc_privileges_thread(void);
/* Drops for good, on all threads, and makes sure that there is no way back. */
bool grc_privileges_drop(char **ret_reason);

/*
 * No core dumps and no debugger that is not root, unless core_dumps; never more rights by running a
 * program; as many open files as the system lets it have.
 */
void grc_privileges_harden(bool core_dumps);
