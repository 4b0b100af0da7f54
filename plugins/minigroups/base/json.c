#include "json.h"

json_t *mini_json_load(const char *text)
{
    return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

const char *mini_json_set(struct gr_call *call, const char *text, gr_str name, const json_t *value)
{
    json_t *object = mini_json_load(text);
    const char *result = NULL;

    if (!object)
        object = json_object();
    if (json_object_setn_new(object, name.ptr, name.len, json_deep_copy(value)) == 0)
        result = gr_json_text(call, object).ptr;
    json_decref(object);
    return result;
}
