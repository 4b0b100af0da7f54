/* Not a Greenroom plugin. */
#define BROKEN_ABI .magic = 0xdeadbeefu
#include "broken.h"

BROKEN_PLUGIN(.flags = 0)
