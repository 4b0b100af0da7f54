/* A plugin with an entry function, but without the note that GR_PLUGIN() defines. */
#include "broken.h"

GR_EXPORT const struct gr_plugin *gr_plugin_entry(void);
GR_EXPORT const struct gr_plugin *gr_plugin_entry(void)
{
    return broken_routes[0].method == GR_METHOD_POST ? (const struct gr_plugin *)"" : NULL;
}
