/* Not a Greenroom plugin. */
#include "broken.h"

BROKEN_PLUGIN(.magic = 0xdeadbeefu)
