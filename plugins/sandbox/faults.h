/* Injected faults and the rate limit. */
#pragma once

#include "sandbox.h"

/* Counts a call against the rate limit. Returns false when the limit is reached. The lock is held.
 * */
bool sb_rate_admits(struct sandbox *sb);

/* Fails the call with 429 and Retry-After. */
enum gr_err sb_too_many(struct gr_call *call, unsigned wait_s);

extern const struct gr_field sb_fault_fields[];
/* Applies the fault rules to this call; *ret_done: the call is answered. The lock is not held. */
enum gr_err sb_faults_apply(struct gr_call *call, struct sandbox *sb, bool *ret_done);
