/* An answer as a record keeps it. */
#pragma once

#include "call/call.h"
#include "idempotency/records.h"

/* Fills in what is to be kept of the reply: status, type, body and the headers from the given one
 * on, but for those that were true at that moment only. Slices are those of the call. An answer of
 * more than max_bytes becomes GRC_RECORD_LARGE. */
void grc_kept_answer_of(struct grc_call *call, size_t first_header, size_t max_bytes,
                        struct grc_record_answer *ret_answer);
/* Replies with a kept answer, and marks it. Returns false when its headers cannot be read. */
bool grc_kept_answer_give(struct grc_call *call, const struct grc_record_answer *answer);
