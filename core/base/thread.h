/* Threads of the host's own, and how the kernel's scheduler treats one. Thread-safe. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Starts a thread, which the holder of *ret_thread has to join. Returns false when none was
 * started. */
bool grc_thread_start(pthread_t *ret_thread, size_t stack_bytes, void *(*run)(void *), void *arg);
/*
 * Puts the calling thread under SCHED_BATCH, with the shortest time slice that there is. Under
 * SCHED_BATCH a thread that wakes waits for its turn, which lets the threads it talks to finish
 * what they do, and costs fewer switches (sched(7)). With a short slice its turn comes early,
 * whichever other threads are busy, and it never needs a long turn (Linux 6.12,
 * Documentation/scheduler/sched-eevdf.rst; older kernels ignore the slice). Returns false with
 * errno when the thread stays as it is.
 */
bool grc_thread_batch(void);
