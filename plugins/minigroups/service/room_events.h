/* Reads the events of a room. */
#pragma once

#include "calls.h"

/*
 * Reads the events of one type in a room, oldest first, in at most pages_max pages of 100. NULL
 * when the event service fails. The value is valid until the call ends.
 */
const json_t *mini_room_events(struct gr_call *call, const char *room, const char *type,
                               unsigned pages_max);
