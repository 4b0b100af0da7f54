/* What is kept of the head of an upstream's answer, for both transports. Used by one thread at a
 * time. */
#pragma once

#include "upstream/upstream.h"

/* The most headers that are kept of one answer; further ones are dropped. */
#define GRC_ANSWER_HEADERS_MAX 32u

struct grc_answer_head {
    struct grc_arena *arena; /* borrowed; has what is kept */
    struct gr_pair *pairs;   /* the headers for the client */
    size_t count;
    gr_str type;
    gr_str retry_after;
    bool encoded;      /* it has a Content-Encoding that was not asked for */
    bool reads_caches; /* freshness is wanted */
    struct grc_freshness freshness;
};

/* Empties it for the next head, also for the one that follows an interim answer. */
void grc_answer_head_begin(struct grc_answer_head *head, struct grc_arena *arena,
                           bool reads_caches);
/* Reads a header. pair is trimmed; NULL stands for a line that could not be parsed. */
void grc_answer_head_take(struct grc_answer_head *head, const struct gr_pair *pair);
/* The Retry-After in seconds; -1 when there is none, or it is a date. */
int64_t grc_answer_head_retry_after_s(const struct grc_answer_head *head);
/* Makes it the head of the exchange's answer. */
void grc_answer_head_give(const struct grc_answer_head *head, struct grc_exchange *exchange);
