/* What a row's .select keeps of an upstream's answer. */
#pragma once

#include "call/call.h"

/*
 * Reads an answer part by part, so that it takes the memory of one part, and never that of a tree
 * of the whole. ret_changed: false when nothing has to be left out; else *ret_kept is the answer
 * without the items that do not match, and otherwise byte for byte the same, in memory that lives
 * as long as the call. Fails the call when the answer is no JSON object, or does not match as a
 * whole.
 */
enum gr_err grc_select(struct grc_call *call, const struct gr_select *select, gr_str answer,
                       gr_str *ret_kept, bool *ret_changed);
