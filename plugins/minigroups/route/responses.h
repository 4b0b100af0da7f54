/* Minigroup objects, as clients see them. */
#pragma once

#include "property_names.h"
#include "store/recordings.h"

/* What an answer is made from, besides the row of the class. */
struct mini_view {
    const struct mini_recordings *recordings;
    const char *turn_host; /* NULL: none */
    int64_t now_ms;
    /* the rest is used by the read shape only */
    struct mini_num position;
    const json_t *properties; /* those to show; NULL: all of the class */
    const json_t *account_properties;
    bool update_answer; /* leaves out on_demand and position, as the answer of PUT by scope does */
};

/* The read shape: id is the scope. New reference. */
json_t *mini_response_read(const struct mini_class *row, const struct mini_view *view);
/* The row shape: id is the UUID. New reference. */
json_t *mini_response_row(const struct mini_class *row, const struct mini_view *view);
/* The object in text, reduced to the members that keys name. New reference. */
json_t *mini_properties_pick(const char *text, const struct mini_property_names *keys);
