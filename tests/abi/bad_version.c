/* A plugin whose descriptor has another version than its note. */
#include "broken.h"

BROKEN_PLUGIN(.version = "2.0.0")
