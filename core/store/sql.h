/* Looks at SQL text without parsing it; strings, quoted names and comments are skipped. */
#pragma once

#include "base/buf.h"

enum grc_sql_kind {
    GRC_SQL_READ = 1, /* SELECT, VALUES */
    GRC_SQL_CHANGE,   /* INSERT, UPDATE, DELETE, WITH: it has a number of changed rows */
    GRC_SQL_OTHER,
};

/* Decides by the first word. A WITH that only reads counts as a change, which only costs time. */
enum grc_sql_kind grc_sql_kind_of(const char *sql);

/* Writes the first word of a statement in capitals, and the name of the table after its first FROM,
 * INTO or UPDATE, in quotes or not; each cut to size, "" where there is none. */
void grc_sql_summary(const char *sql, char *ret_operation, size_t operation_size, char *ret_table,
                     size_t table_size);

/*
 * Appends sql with ?1 replaced by $1, and writes the highest number to *ret_highest. Strings ('',
 * E'', $tag$), quoted names, comments and a ? without a number stay as they are. GR_ERR_INVALID for
 * ?0 and numbers over 65535.
 */
enum gr_err grc_sql_dollars(struct grc_buf *ret_sql, const char *sql, unsigned *ret_highest);
