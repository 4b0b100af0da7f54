/* Rooms, as other files find and make them. */
#pragma once

#include "sandbox.h"

/* The room of the path parameter room_id; fails the call with 404 when there is none, and with 403
 * when it has to be enabled and is not. */
enum gr_err sb_room_of(struct gr_call *call, struct sandbox *sb, bool enabled, json_t **ret_room);
/* Makes or updates a room from a checked body. room NULL: by name, else new. */
json_t *sb_room_put(struct sandbox *sb, json_t *room, const json_t *body);
