/* Nothing is wrong with this one. */
#include "broken.h"

BROKEN_PLUGIN(.flags = 0)
