/* What a row's .select keeps of an upstream's answer. */
#pragma once

#include "call/call.h"

/*
 * Reads an answer part by part, so that it takes the memory of one part, and never that of a tree
 * of the whole. ret_changed: false when nothing has to go; else *ret_kept is the answer without
 * what does not match, byte by byte what came, in memory that lives as long as the call. Fails the
 * call when the answer is no JSON object, and when it is the one that does not match.
 */
enum gr_err grc_select(struct grc_call *call, const struct gr_select *select, gr_str answer,
                       gr_str *ret_kept, bool *ret_changed);
