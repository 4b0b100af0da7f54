/* Copies one store into another: for a gateway that grows from a SQLite file to PostgreSQL. */
#pragma once

#include "store/catalog.h"

/* Called after each part: copied of total rows of the table are there. ended: it is the last call
 * for this table. */
typedef void grc_copy_progress_fn(void *arg, const char *table, int64_t copied, int64_t total,
                                  bool ended);

/*
 * Copies every row of every table, in transactions of some hundred rows, and then compares the
 * number of rows and their content, table by table. `to` has the same migrations as `from`, see
 * grc_copy_begin(). After an interruption, the next call continues the copy. No gateway may change
 * either store meanwhile. Returns false with a malloc'ed reason.
 */
bool grc_store_copy(struct grc_store *from, struct grc_store *to, grc_copy_progress_fn *progress,
                    void *arg, char **ret_reason);

/*
 * Before the migrations of `to`: refuses a store with tables, unless an earlier copy from the same
 * place has made them. source names the place, without secrets. Returns false with a malloc'ed
 * reason.
 */
bool grc_copy_begin(struct grc_store *to, const char *source, char **ret_reason);
