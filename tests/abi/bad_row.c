/* A plugin whose route rows are longer than the host's struct. */
#define BROKEN_ABI .route_size = sizeof(struct gr_route) + 8
#include "broken.h"

BROKEN_PLUGIN(.flags = 0)
