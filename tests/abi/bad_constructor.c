/* A plugin whose constructor ends the process that loads it. */
#include "broken.h"

#include <stdlib.h>

__attribute__((constructor)) static void constructor(void)
{
    abort();
}

BROKEN_PLUGIN(.flags = 0)
