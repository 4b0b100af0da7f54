/* Calls that are answered otherwise than they ask: fault rules, and the rate. */
#pragma once

#include "sandbox.h"

/* Counts a call; false: there were too many. A second later there is room again. Lock held. */
bool sb_rate_admits(struct sandbox *sb);

/* Fails the call with 429 and Retry-After. */
enum gr_err sb_too_many(struct gr_call *call, unsigned wait_s);

extern const struct gr_field sb_fault_fields[];
/* Does what the fault rules say for this call; *ret_done: the call is answered. No lock held. */
enum gr_err sb_faults_apply(struct gr_call *call, struct sandbox *sb, bool *ret_done);
