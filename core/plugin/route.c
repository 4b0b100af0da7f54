/* Frees what a route owns. */
#include "plugin/plugin.h"

#include <stdlib.h>

void grc_route_done(struct grc_route *route)
{
    free((void *)(uintptr_t)route->path);
    free((void *)(uintptr_t)route->alias);
    grc_schema_free(route->params);
    grc_schema_free(route->query);
    grc_schema_free(route->body);
}
