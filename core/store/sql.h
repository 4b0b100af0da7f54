/* Looking at SQL text without understanding it: strings, names and comments are stepped over. */
#pragma once

#include "base/buf.h"

enum grc_sql_kind {
    GRC_SQL_READ = 1, /* SELECT, VALUES */
    GRC_SQL_CHANGE,   /* INSERT, UPDATE, DELETE, WITH: the number of rows written has a meaning */
    GRC_SQL_OTHER,
};

/* By the first word. A WITH that only reads counts as a change, which costs time, not truth. */
enum grc_sql_kind grc_sql_kind_of(const char *sql);

/*
 * Appends sql with ?1 written as $1. ret_highest receives the highest number seen. Text inside
 * of strings ('', E'', $tag$), quoted names and comments stays as it is; so does a ? without a
 * number. GR_ERR_INVALID for ?0 and numbers over 65535.
 */
enum gr_err grc_sql_dollars(struct grc_buf *ret_sql, const char *sql, unsigned *ret_highest);
