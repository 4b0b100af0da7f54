/* Sessions and their peers. */
#pragma once

#include "sandbox.h"

/* Returns the running session of a room, or NULL. */
json_t *sb_session_of(struct sandbox *sb, const char *room_id);
json_t *sb_session_room(struct sandbox *sb, const json_t *session);
/* Returns the running session of a room; opens one when there is none. */
json_t *sb_session_open(struct sandbox *sb, json_t *room);
/* Ends a session: removes its peers, stops its jobs and polls. */
void sb_session_close(struct sandbox *sb, json_t *session, const char *reason);
/* Closes a session without peers, unless a job keeps it open. */
void sb_session_settle(struct sandbox *sb, const char *session_id);
void sb_session_expire(struct sandbox *sb, const char *id);
/* Adds a peer: {"role", "name", "user_id", "metadata", "type"}, already validated. */
json_t *sb_peer_join(struct sandbox *sb, json_t *room, const json_t *body);
/* Removes a peer. reason: text for a removed peer; "" for a peer that leaves by itself. */
void sb_peer_leave(struct sandbox *sb, json_t *session, const char *peer_id, const char *reason);
/* The same for all peers of a role. */
void sb_peers_leave(struct sandbox *sb, json_t *session, const char *role, const char *reason);
/* Makes the data of a peer's event, including room and session; new reference. */
json_t *sb_peer_event_data(struct sandbox *sb, const json_t *session, const json_t *peer);
json_t *sb_live_peers(const json_t *session); /* map of the connected peers; borrowed */
