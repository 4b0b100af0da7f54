/* A plugin with a route that has no operation id. */
#include "broken.h"

static const struct gr_route routes[] = {
    GR_GET("/other", "", "Answer", .access = GR_ACCESS_OPEN, .handle = broken_handle),
    GR_END,
};

BROKEN_PLUGIN(.routes = routes)
