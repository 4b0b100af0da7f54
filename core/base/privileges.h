/*
 * The privileges of the process: giving up root, and limits on what it can do and disclose.
 *
 * A process that was started as root gives up root in two steps. grc_privileges_lower() changes the
 * effective user, so that files are opened and made as that user, but keeps the saved user root for
 * one purpose: listening on ports below 1024. grc_privileges_raise_here() makes the calling thread
 * alone root again for that. grc_privileges_drop() gives up root for good, on all threads.
 */
#pragma once

#include <stdbool.h>

/*
 * Called before there are threads. Does nothing when user is NULL. group NULL means the user's own
 * group. The directory make_dir, unless NULL, is made for the user when it does not exist. Returns
 * false with a malloc'ed reason of one line.
 */
bool grc_privileges_lower(const char *user, const char *group, const char *make_dir,
                          char **ret_reason);
/* Makes the calling thread, and the threads it starts, root again until they call
 * grc_privileges_thread() or any thread calls grc_privileges_drop(). Without effect when
 * grc_privileges_lower() changed nothing. */
void grc_privileges_raise_here(void);
/* Drops root for good on the calling thread. A thread that was started by a raised one calls this
 * before anything else. */
void grc_privileges_thread(void);
/* Drops root for good, on all threads, and makes sure that it cannot be regained. */
bool grc_privileges_drop(char **ret_reason);

/* In a process that a lowered one started: gives up what is left of root. false with a reason
 * (malloc'ed, one line). */
bool grc_privileges_settle(char **ret_reason);

/* Raises the limit of open files to its maximum. */
void grc_privileges_raise_files(void);
/*
 * Turns off core dumps, and debuggers of users other than root, unless core_dumps is set; keeps
 * programs that the process runs from gaining privileges; raises the limit of open files to its
 * maximum.
 */
void grc_privileges_harden(bool core_dumps);
