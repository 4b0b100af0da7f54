/* A plugin that was built for another major version of the ABI. */
#define BROKEN_ABI .major = GR_ABI_MAJOR + 1
#include "broken.h"

BROKEN_PLUGIN(.flags = 0)
