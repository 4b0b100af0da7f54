/* Built against another jansson. */
#include "broken.h"

BROKEN_PLUGIN(.jansson_major = GR_JANSSON_MAJOR + 1)
