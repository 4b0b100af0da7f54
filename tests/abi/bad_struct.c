/* A plugin whose descriptor is shorter than in the first release. */
#define BROKEN_ABI .plugin_size = 64
#include "broken.h"

BROKEN_PLUGIN(.flags = 0)
