/* A plugin that was built for another pointer width. */
#define BROKEN_ABI .pointer_bits = 16
#include "broken.h"

BROKEN_PLUGIN(.flags = 0)
