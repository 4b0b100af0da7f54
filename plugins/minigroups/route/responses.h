/* The minigroup objects in answers. */
#pragma once

#include "property_names.h"
#include "store/recordings.h"

/* The data for an answer besides the row of the class. */
struct mini_view {
    const struct mini_recordings *recordings;
    const char *turn_host; /* NULL: none */
    int64_t now_ms;
    /* Only the read shape uses the members below. */
    struct mini_num position;
    const json_t *properties; /* properties to include; NULL: all of the class */
    const json_t *account_properties;
    bool update_answer; /* omits on_demand and position, for the answer of PUT by scope */
};

/* The read shape: id is the scope. New reference. */
json_t *mini_response_read(const struct mini_class *row, const struct mini_view *view);
/* The row shape: id is the UUID. New reference. */
json_t *mini_response_row(const struct mini_class *row, const struct mini_view *view);
/* Returns the members of the JSON object in text with these keys. New reference. */
json_t *mini_properties_pick(const char *text, const struct mini_property_names *keys);
