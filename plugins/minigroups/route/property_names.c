#include "property_names.h"

enum form { FORM_NONE = 0, FORM_EMPTY_BRACKETS, FORM_INDEXED };

/* Reads "[7]" or "[]" into a form and an index. */
static bool parse_brackets(gr_str text, enum form *ret_form, uint64_t *ret_index)
{
    uint64_t index = 0;

    if (text.len < 2 || text.ptr[0] != '[' || text.ptr[text.len - 1] != ']')
        return false;
    if (text.len == 2) {
        *ret_form = FORM_EMPTY_BRACKETS;
        return true;
    }
    if (text.len > 12)
        return false;
    for (size_t i = 1; i < text.len - 1; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        index = index * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *ret_form = FORM_INDEXED;
    *ret_index = index;
    return true;
}

static bool index_taken(const struct mini_property_names *keys, uint64_t index)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->indexes[i] == index)
            return true;
    }
    return false;
}

bool mini_property_names_parse(const struct gr_pair *query, size_t count, const char *name,
                               struct mini_property_names *keys)
{
    size_t name_len = strlen(name);
    enum form form = FORM_NONE;

    keys->count = 0;
    for (size_t i = 0; i < count; i++) {
        gr_str key = query[i].name;
        enum form this_form = FORM_NONE;
        uint64_t index = 0;

        if (key.len < name_len || memcmp(key.ptr, name, name_len) != 0)
            continue;
        if (key.len == name_len) {
            if (query[i].value.len)
                return false;
            continue;
        }
        if (key.ptr[name_len] != '[')
            continue; /* another parameter with the same prefix */
        if (!parse_brackets((gr_str){key.ptr + name_len, key.len - name_len}, &this_form, &index))
            return false;
        if (form != FORM_NONE && form != this_form)
            return false;
        if (this_form == FORM_INDEXED && index_taken(keys, index))
            return false;
        form = this_form;
        keys->indexes[keys->count] = index;
        keys->names[keys->count++] = query[i].value;
    }
    return true;
}
