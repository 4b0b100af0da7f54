#include "base/pairs.h"

#include "base/field.h"
#include "base/uri.h"

#include <stdlib.h>

bool grc_pairs_next(gr_str *list, gr_str *ret_name, gr_str *ret_value)
{
    gr_str rest = *list;
    gr_str member;

    if (rest.len == 0 || !grc_field_next(&rest, &member))
        return false;
    const char *equals = member.len ? memchr(member.ptr, '=', member.len) : NULL;
    if (!equals)
        return false;
    size_t len = (size_t)(equals - member.ptr);
    gr_str name = grc_field_trim((gr_str){member.ptr, len});
    if (name.len == 0)
        return false;
    *ret_name = name;
    *ret_value = grc_field_trim((gr_str){equals + 1, member.len - len - 1});
    *list = rest;
    return true;
}

bool grc_pairs_good(gr_str list)
{
    char *decoded = malloc(list.len + 1);
    bool good = decoded != NULL;
    size_t len = 0;
    gr_str name;
    gr_str value;

    while (good && grc_pairs_next(&list, &name, &value))
        good = grc_field_token(name) && grc_uri_decode(value, false, decoded, &len);
    free(decoded);
    return good && grc_field_trim(list).len == 0;
}
