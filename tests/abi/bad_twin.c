/* A plugin whose descriptor differs from its note. */
#include "broken.h"

BROKEN_PLUGIN(.name = "twin")
