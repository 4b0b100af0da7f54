/* Inside core/guard only. */
#pragma once

#include "guard/guard.h"
#include "guard/rates.h"

struct grc_guard_use;

struct grc_guard_state {
    struct grc_guard_use *uses; /* counted while the call lasts */
    struct grc_rate_view view;  /* of the bucket that is nearest to its end */
    bool has_view;
};

/* Adds a header to the reply. Texts live as long as the call; NULL is not added. */
bool grc_guard_header(struct grc_call *call, const char *name, const char *value);
