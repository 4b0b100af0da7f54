/* An alternate stack for the signal handlers of a thread: they can run even when the thread's own
 * stack is full. */
#pragma once

#include <stdbool.h>

/* Gives the calling thread an alternate stack, which is freed when the thread ends. Does nothing
 * when the thread has one. Returns false without memory; handlers then run on the thread's stack.
 */
bool grc_altstack_use(void);
