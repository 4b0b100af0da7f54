/*
 * Records whose end the store could not be told. They wait, limited in number and size, until it
 * can be told. Not locked; for the keeper.
 */
#pragma once

#include "idempotency/records.h"

enum grc_later_end {
    GRC_LATER_RELEASE = 1, /* nothing was done: the key can be used again */
    GRC_LATER_LOSE,        /* how the request ended is not known */
    GRC_LATER_ANSWER,      /* the caller has the answer */
};

struct grc_later {
    char id[65]; /* hex digits of a digest */
    int64_t token;
    enum grc_later_end end;
    struct grc_record_answer answer; /* of GRC_LATER_ANSWER; its texts are in one block */
    char *texts;
    size_t bytes; /* of the texts */
};

struct grc_later_list {
    struct grc_later *all;
    size_t count;
    size_t bytes;
};

/* False without memory. */
bool grc_later_init(struct grc_later_list *list);
void grc_later_done(struct grc_later_list *list);
/* Adds one, with a copy of the answer (NULL for the others). An answer that finds no room is added
 * as lost. Returns false when there is no place for that either. */
bool grc_later_add(struct grc_later_list *list, enum grc_later_end end, const char *id,
                   int64_t token, const struct grc_record_answer *answer);
/* Takes the newest one out, which is then released with grc_later_release(). False: there is none.
 */
bool grc_later_take(struct grc_later_list *list, struct grc_later *ret);
void grc_later_release(struct grc_later *later);
/* Tells the store. */
enum gr_err grc_later_run(const struct grc_later *later, struct grc_store *store);
