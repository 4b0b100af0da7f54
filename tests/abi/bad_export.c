/* A symbol beyond the one that a plugin exports. */
#include "broken.h"

GR_EXPORT const int broken_export;
GR_EXPORT const int broken_export = 1;

BROKEN_PLUGIN(.flags = 0)
