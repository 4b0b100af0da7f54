/* Reads the columns of a row. */
#pragma once

#include "classes.h"

/* A reader of the columns of a row, one after another. Text is copied into call memory. */
struct mini_columns {
    struct gr_call *call;
    const struct gr_value *columns;
    size_t count;
    size_t next;
    bool failed; /* a column was missing, or the memory was exhausted */
};

const char *mini_column_text(struct mini_columns *row);
struct mini_num mini_column_num(struct mini_columns *row);
int64_t mini_column_int(struct mini_columns *row);
