/* The lists of property names in a query: class_keys[]=a&class_keys[]=b. Pure. */
#pragma once

#include <greenroom/plugin.h>

/* The names that a query asks for. The caller makes room for one entry per pair of the query. */
struct mini_property_names {
    gr_str *names;
    uint64_t *indexes;
    size_t count;
};

/*
 * Collects the values of list parameter `name` from decoded query pairs. Two forms, never mixed:
 * name[]=a and name[0]=a (each index once). A bare name counts as absent while it is empty, and is
 * wrong with a value. False when the list is wrong. keys->names and ->indexes have room for count.
 */
bool mini_property_names_parse(const struct gr_pair *query, size_t count, const char *name,
                               struct mini_property_names *keys);
