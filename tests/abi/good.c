/* A valid plugin. */
#include "broken.h"

BROKEN_PLUGIN(.flags = 0)
