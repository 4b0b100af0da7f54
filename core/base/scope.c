#include "base/scope.h"

static bool word_valid(gr_str word)
{
    if (gr_str_eq(word, GR_STR("*")))
        return true;
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.'))
            return false;
    }
    return word.len > 0;
}

/* Cuts at the first ':'. Returns false when the scope has none. */
static bool cut(gr_str scope, gr_str *ret_resource, gr_str *ret_action)
{
    const char *colon = scope.len ? memchr(scope.ptr, ':', scope.len) : NULL;

    if (!colon)
        return false;
    *ret_resource = (gr_str){scope.ptr, (size_t)(colon - scope.ptr)};
    *ret_action = (gr_str){colon + 1, scope.len - ret_resource->len - 1};
    return true;
}

bool grc_scope_valid(gr_str scope)
{
    gr_str resource;
    gr_str action;

    if (gr_str_eq(scope, GR_STR("*")))
        return true;
    return scope.len <= 128 && cut(scope, &resource, &action) && word_valid(resource) &&
           word_valid(action);
}

static bool word_covers(gr_str held, gr_str wanted)
{
    return gr_str_eq(held, GR_STR("*")) || gr_str_eq(held, wanted);
}

bool grc_scope_covers(gr_str held, gr_str wanted)
{
    gr_str held_resource;
    gr_str held_action;
    gr_str resource;
    gr_str action;

    if (gr_str_eq(held, GR_STR("*")))
        return true;
    if (!cut(held, &held_resource, &held_action) || !cut(wanted, &resource, &action))
        return false;
    return word_covers(held_resource, resource) && word_covers(held_action, action);
}
