/* Built for another pointer width. */
#include "broken.h"

BROKEN_PLUGIN(.pointer_bits = 16)
