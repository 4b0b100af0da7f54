/* Threads of the host, and how the kernel's scheduler treats them. Thread-safe. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Starts a thread, which the caller has to join, with a stack of at least stack_bytes. Returns
 * false when it could not be started. */
bool grc_thread_start(pthread_t *ret_thread, size_t stack_bytes, void *(*run)(void *), void *arg);
/*
 * Initialises a mutex that is held for a few instructions, often and by many threads: a thread that
 * finds it taken tries again for a moment before it sleeps, which saves two system calls and a
 * context switch nearly always. Such a mutex has no static initialiser with this name; glibc's is
 * PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP. Returns false without memory.
 */
bool grc_mutex_init_short(pthread_mutex_t *mutex);
/*
 * Puts the calling thread under SCHED_BATCH, with the shortest time slice. Under SCHED_BATCH a
 * thread that wakes does not preempt others, which lets the threads it talks to finish their work
 * and saves context switches (sched(7)). With a short slice the scheduler picks it early among busy
 * threads, and it never needs a long slice (Linux 6.12, Documentation/scheduler/sched-eevdf.rst;
 * older kernels ignore the slice). Returns false with errno set when nothing was changed.
 */
bool grc_thread_batch(void);

enum grc_thread_state { GRC_THREAD_UNKNOWN = 0, GRC_THREAD_RUNS, GRC_THREAD_SLEEPS };
/* What the kernel says of a thread of this process at this moment, from /proc (proc_pid_stat(5)):
 * it sleeps, in a system call or for a page, or it runs. One that waits only for a processor runs.
 * Unknown without /proc. */
enum grc_thread_state grc_thread_state(pid_t tid);
