/* Handlers and fields of the room and room code routes; see rooms.inc and codes.inc. */
#pragma once

#include "fields.h"
#include "sandbox.h"

gr_handler sb_rooms_list;
gr_handler sb_rooms_get;
gr_handler sb_rooms_create;
gr_handler sb_rooms_update;
extern const struct gr_field sb_room_fields[];
extern const struct gr_field sb_rooms_query[];

gr_handler sb_codes_list;
gr_handler sb_codes_create_all;
gr_handler sb_codes_create;
gr_handler sb_codes_update;
gr_handler sb_codes_exchange;
extern const struct gr_field sb_codes_query[];
extern const struct gr_field sb_code_update_fields[];
extern const struct gr_field sb_exchange_fields[];
