/* Functions of rooms for other files. */
#pragma once

#include "sandbox.h"

/* Finds the room of the path parameter room_id. Fails the call with 404 when there is none, and
 * with 403 when `enabled` is requested and the room is disabled. */
enum gr_err sb_room_of(struct gr_call *call, struct sandbox *sb, bool enabled, json_t **ret_room);
/* Creates or updates a room from a valid body. room NULL: the room with this name, or a new one. */
json_t *sb_room_put(struct sandbox *sb, json_t *room, const json_t *body);
