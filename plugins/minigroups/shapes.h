/* Minigroup objects, as clients see them. */
#pragma once

#include "keys.h"
#include "rows.h"

/* What an answer is made of besides the class. */
struct mg_view {
    const struct mg_recordings *recordings;
    const char *turn_host; /* NULL: none */
    int64_t now_ms;
    /* the read shape alone */
    struct mg_num position;
    const json_t *properties; /* those to show; NULL: all of the class */
    const json_t *account_properties;
    bool update_answer; /* leaves out on_demand and position, as the answer of PUT by scope does */
};

/* The read shape: id is the scope. New reference. */
json_t *mg_shape_read(const struct mg_class *row, const struct mg_view *view);
/* The row shape: id is the UUID. New reference. */
json_t *mg_shape_row(const struct mg_class *row, const struct mg_view *view);
/* The members of the object in text that keys name. New reference. */
json_t *mg_pick(const char *text, const struct mg_keys *keys);
