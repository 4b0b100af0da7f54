#include "rows.h"

#include <stdlib.h>

static const struct gr_value *take(struct mg_row *row)
{
    static const struct gr_value null;

    if (row->next >= row->count) {
        row->failed = true;
        return &null;
    }
    return &row->columns[row->next++];
}

const char *mg_row_text(struct mg_row *row)
{
    const struct gr_value *value = take(row);

    if (value->kind == GR_VALUE_NULL)
        return NULL;
    const char *copy = gr_copy(row->call, value->s);
    if (!copy)
        row->failed = true;
    return copy;
}

struct mg_num mg_row_num(struct mg_row *row)
{
    const struct gr_value *value = take(row);

    return (struct mg_num){value->kind != GR_VALUE_NULL, value->i};
}

int64_t mg_row_int(struct mg_row *row)
{
    return mg_row_num(row).value;
}

const char *mg_json_text(struct gr_call *call, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    const char *copy = text ? gr_copy(call, gr_str_of(text)) : NULL;

    free(text);
    return copy;
}

json_t *mg_json_load(const char *text)
{
    return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

const char *mg_json_set(struct gr_call *call, const char *text, gr_str name, const json_t *value)
{
    json_t *object = mg_json_load(text);
    const char *result = NULL;

    if (!object)
        object = json_object();
    if (json_object_setn_new(object, name.ptr, name.len, json_deep_copy(value)) == 0)
        result = mg_json_text(call, object);
    json_decref(object);
    return result;
}
