/* Reads the events of a room. */
#pragma once

#include "calls.h"

/*
 * The events of one type in a room, oldest first, read page by page (at most 100 each). NULL when
 * the event service fails. The value lives as long as the call.
 */
const json_t *mini_room_events(struct gr_call *call, const char *room, const char *type,
                               unsigned pages_max);
