/* Made for another major version of the ABI. */
#include "broken.h"

BROKEN_PLUGIN(.abi_major = GR_ABI_MAJOR + 1)
