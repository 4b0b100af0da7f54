/* A descriptor that is not the one which the note describes. */
#include "broken.h"

BROKEN_PLUGIN(.name = "twin")
