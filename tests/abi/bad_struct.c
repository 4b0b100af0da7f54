/* A descriptor shorter than the first release had. */
#include "broken.h"

BROKEN_PLUGIN(.plugin_size = 64)
