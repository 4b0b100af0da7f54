/*
 * A lock per class within this process: calls that make rooms for the same class wait for each
 * other. Between two gateways on one store, the statement that writes the row of the class decides.
 */
#pragma once

#include <greenroom/plugin.h>

struct mini_class_locks;

/* NULL without memory. */
struct mini_class_locks *mini_class_locks_new(void);
void mini_class_locks_free(struct mini_class_locks *locks);
/*
 * Waits until no other call holds the lock with this name, then holds it until this call ends. A
 * call may hold one lock. Fails the call with GR_ERR_OVERLOAD (503) when the lock is not free
 * within MINI_CLASS_LOCK_WAIT_MS, or with GR_ERR_NO_MEMORY.
 */
#define MINI_CLASS_LOCK_WAIT_MS 10000
enum gr_err mini_class_lock_acquire(struct gr_call *call, const char *name);
