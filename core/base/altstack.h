/* A stack of its own for a thread's signal handlers: it still works when the thread's stack is
 * full. */
#pragma once

#include <stdbool.h>

/* Gives the calling thread such a stack, which is freed when the thread ends. Does nothing when it
 * has one. false: there is no memory for it, and handlers run on the thread's own stack. */
bool grc_altstack_use(void);
