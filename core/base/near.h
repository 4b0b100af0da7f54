/* Finds what a mistyped name was meant to be. Thread-safe. */
#pragma once

#include <stddef.h>

/* A search: set name, offer each candidate, read best. */
struct grc_near {
    const char *name;
    const char *best; /* NULL: no candidate is close */
    size_t distance;
};
void grc_near_try(struct grc_near *near, const char *candidate);
/* The same for a list of candidates, which ends with NULL. Returns the best one, or NULL. */
const char *grc_name_near(const char *name, const char *const *candidates);
