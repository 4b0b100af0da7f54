/* A plugin that was built for a newer minor version of the ABI. */
#define BROKEN_ABI .minor = GR_ABI_MINOR + 1
#include "broken.h"

BROKEN_PLUGIN(.flags = 0)
