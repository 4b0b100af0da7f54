/* The lists of property names in a query: class_keys[]=a&class_keys[]=b. */
#pragma once

#include <greenroom/plugin.h>

/* The requested names. The caller allocates one entry per pair of the query. */
struct mini_property_names {
    gr_str *names;
    uint64_t *indexes;
    size_t count;
};

/*
 * Collects the values of the list parameter `name` from decoded query pairs. It has two forms,
 * which must not be mixed: name[]=a, and name[0]=a with each index once. A name without brackets is
 * ignored when its value is empty, otherwise it is an error. False for a malformed list.
 */
bool mini_property_names_parse(const struct gr_pair *query, size_t count, const char *name,
                               struct mini_property_names *keys);
