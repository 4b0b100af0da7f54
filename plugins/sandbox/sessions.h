/* Handlers and fields of the session and active room routes; see sessions.inc. */
#pragma once

#include "fields.h"
#include "sandbox.h"

gr_handler sb_sessions_list;
gr_handler sb_sessions_get;
gr_handler sb_active_get;
gr_handler sb_active_peers;
gr_handler sb_active_peer;
gr_handler sb_active_peer_update;
gr_handler sb_active_message;
gr_handler sb_active_remove;
gr_handler sb_active_end;

extern const struct gr_field sb_sessions_query[];
extern const struct gr_field sb_peers_query[];
extern const struct gr_field sb_peer_update_fields[];
extern const struct gr_field sb_message_fields[];
extern const struct gr_field sb_remove_fields[];
extern const struct gr_field sb_end_fields[];
