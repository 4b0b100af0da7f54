/* A plugin whose magic number is not that of Greenroom. */
#define BROKEN_ABI .magic = 0xdeadbeefu
#include "broken.h"

BROKEN_PLUGIN(.flags = 0)
