/* A descriptor whose version is not the one of the note. */
#include "broken.h"

BROKEN_PLUGIN(.version = "2.0.0")
