#include "columns.h"

static const struct gr_value *take(struct mini_columns *row)
{
    static const struct gr_value null;

    if (row->next >= row->count) {
        row->failed = true;
        return &null;
    }
    return &row->columns[row->next++];
}

const char *mini_column_text(struct mini_columns *row)
{
    const struct gr_value *value = take(row);

    if (value->kind == GR_VALUE_NULL)
        return NULL;
    const char *copy = gr_copy(row->call, value->s);
    if (!copy)
        row->failed = true;
    return copy;
}

struct mini_num mini_column_num(struct mini_columns *row)
{
    const struct gr_value *value = take(row);

    return (struct mini_num){value->kind != GR_VALUE_NULL, value->i};
}

int64_t mini_column_int(struct mini_columns *row)
{
    return mini_column_num(row).value;
}
