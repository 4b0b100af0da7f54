/* A plugin that was built with another major version of jansson. */
#define BROKEN_ABI .jansson_major = GR_JANSSON_MAJOR + 1
#include "broken.h"

BROKEN_PLUGIN(.flags = 0)
