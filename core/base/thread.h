/* Threads of the host's own, and how the kernel's scheduler treats one. Thread-safe. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Starts a thread that somebody will join. false: there is none. */
bool grc_thread_start(pthread_t *ret_thread, size_t stack_bytes, void *(*run)(void *), void *arg);
/*
 * Puts the calling thread under SCHED_BATCH, with the shortest time slice that there is. Batch:
 * when it wakes it waits for its turn, which lets those it talks to finish what they do, and costs
 * fewer switches (sched(7)). A short slice: its turn comes early, whoever else is busy; it never
 * needs a long one (Linux 6.12, Documentation/scheduler/sched-eevdf.rst; older kernels only do the
 * first). false with errno: the thread stays as it is.
 */
bool grc_thread_batch(void);
