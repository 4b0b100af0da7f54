/* Route rows longer than the host knows. */
#include "broken.h"

BROKEN_PLUGIN(.route_size = sizeof(struct gr_route) + 8)
