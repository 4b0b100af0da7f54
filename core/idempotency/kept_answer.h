/* An answer as a record keeps it. */
#pragma once

#include "call/call.h"
#include "idempotency/records.h"

/* Fills in the parts of the reply that are kept: status, type, body, and the headers from number
 * first_header on, without those that were only true at that moment. The slices belong to the call.
 * An answer of more than max_bytes becomes GRC_RECORD_LARGE. */
void grc_kept_answer_of(struct grc_call *call, size_t first_header, size_t max_bytes,
                        struct grc_record_answer *ret_answer);
/* Replies with a kept answer, and marks it. Returns false when its headers cannot be read. */
bool grc_kept_answer_give(struct grc_call *call, const struct grc_record_answer *answer);
