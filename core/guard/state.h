/* For core/guard only. */
#pragma once

#include "guard/guard.h"
#include "guard/rates.h"

struct grc_guard_use;

struct grc_guard_state {
    struct grc_guard_use *uses; /* what the call is counted in */
    struct grc_rate_view view;  /* of the bucket with the fewest tokens */
    bool has_view;
};

/* Adds a header to the reply, unless value is NULL. The texts must live as long as the call. */
bool grc_guard_header(struct grc_call *call, const char *name, const char *value);
