/* Handlers of the destinations' routes. Their rows are in streams.c. */
#pragma once

#include "rig.h"

gr_handler rig_destination_admit;
gr_handler rig_destinations_add;
gr_handler rig_destinations_remove;
gr_handler rig_destinations_update;
