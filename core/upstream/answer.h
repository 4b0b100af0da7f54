/*
 * An answer that several calls read at the same time, for single-flight and for the cache.
 * Reference-counted and immutable. Thread-safe.
 */
#pragma once

#include "upstream/upstream.h"

#include <stdatomic.h>

struct grc_answer {
    _Atomic unsigned refs;
    enum gr_err err;
    int status;
    gr_str body; /* NUL-terminated, like all texts here; they are in the same block */
    gr_str type;
    gr_str retry_after;
    struct gr_pair *headers;
    size_t header_count;
    size_t bytes; /* size of the block, for the limit of the cache */
};

/* Copies the outcome of an exchange. The caller has one reference. NULL without memory. */
struct grc_answer *grc_answer_new(const struct grc_exchange *exchange);
struct grc_answer *grc_answer_ref(struct grc_answer *answer);
void grc_answer_unref(struct grc_answer *answer); /* NULL is fine */
/*
 * Makes it the answer of another exchange, without a copy. Steals the reference, which is dropped
 * when the exchange's arena is reset. Headers describe a moment (such as what is left of a rate),
 * so they only go to calls that have waited for this answer.
 */
void grc_answer_give(struct grc_answer *stolen, struct grc_exchange *exchange, bool with_headers);
