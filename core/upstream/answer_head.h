/* What the head of an upstream's answer says that is worth keeping, whichever transport read it.
 * Used by one thread at a time. */
#pragma once

#include "upstream/upstream.h"

/* Headers that are kept of one answer; further ones are dropped. */
#define GRC_ANSWER_HEADERS_MAX 32u

struct grc_answer_head {
    struct grc_arena *arena; /* borrowed; holds what is kept */
    struct gr_pair *pairs;   /* those that go back to the client */
    size_t count;
    gr_str type;
    gr_str retry_after;
    bool encoded;      /* it has a Content-Encoding that was not asked for */
    bool reads_caches; /* freshness is wanted */
    struct grc_freshness freshness;
};

/* Empties it for the head of the next answer, or of one that follows an interim answer. */
void grc_answer_head_begin(struct grc_answer_head *head, struct grc_arena *arena,
                           bool reads_caches);
/* Takes in one header. pair: trimmed; NULL stands for a line that could not be read. */
void grc_answer_head_take(struct grc_answer_head *head, const struct gr_pair *pair);
/* The Retry-After in seconds; -1: there is none, or it is a date. */
int64_t grc_answer_head_retry_after_s(const struct grc_answer_head *head);
/* Makes it the head of the exchange's answer. */
void grc_answer_head_give(const struct grc_answer_head *head, struct grc_exchange *exchange);
