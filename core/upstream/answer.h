/*
 * An answer that several calls read at the same time: made once, counted, never changed. It is what
 * single-flight hands round and what the cache keeps. Thread-safe.
 */
#pragma once

#include "upstream/upstream.h"

#include <stdatomic.h>

struct grc_answer {
    _Atomic unsigned refs;
    enum gr_err err;
    int status;
    gr_str body; /* NUL-terminated, like every text below; all in the same block */
    gr_str type;
    gr_str retry_after;
    struct gr_pair *headers;
    size_t header_count;
    size_t bytes; /* of the block, for the cache, which has a limit */
};

/* A copy of what came of an exchange, with one reference. NULL without memory. */
struct grc_answer *grc_answer_new(const struct grc_exchange *exchange);
struct grc_answer *grc_answer_ref(struct grc_answer *answer);
void grc_answer_unref(struct grc_answer *answer); /* NULL is fine */
/*
 * Makes it the answer of another exchange, without a copy. Takes over the reference: it is let go
 * when the exchange's arena is reset. Headers tell of the moment (what is left of a rate), so they
 * go only to those who waited for this very answer.
 */
void grc_answer_give(struct grc_answer *stolen, struct grc_exchange *exchange, bool with_headers);
