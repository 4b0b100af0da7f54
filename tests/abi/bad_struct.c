/* A descriptor shorter than the first release had. */
#define BROKEN_ABI .plugin_size = 64
#include "broken.h"

BROKEN_PLUGIN(.flags = 0)
