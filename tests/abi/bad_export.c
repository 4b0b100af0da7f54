/* A plugin that exports another symbol beside gr_plugin_entry. */
#include "broken.h"

GR_EXPORT const int broken_export;
GR_EXPORT const int broken_export = 1;

BROKEN_PLUGIN(.flags = 0)
