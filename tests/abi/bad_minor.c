/* Made for a newer minor version of the ABI. */
#include "broken.h"

BROKEN_PLUGIN(.abi_minor = GR_ABI_MINOR + 1)
