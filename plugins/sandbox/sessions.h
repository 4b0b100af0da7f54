/* Sessions and the peers in them. */
#pragma once

#include "sandbox.h"

/* The running session of a room, or NULL. */
json_t *sb_session_of(struct sandbox *sb, const char *room_id);
json_t *sb_session_room(struct sandbox *sb, const json_t *session);
/* The running session of a room, opened when there is none. */
json_t *sb_session_open(struct sandbox *sb, json_t *room);
/* Ends a session: peers leave, jobs stop, polls stop. */
void sb_session_close(struct sandbox *sb, json_t *session, const char *reason);
/* Closes it when no peer is left in it, and nothing that holds it open. */
void sb_session_settle(struct sandbox *sb, const char *session_id);
void sb_session_expire(struct sandbox *sb, const char *id);
/* Joins a peer: {"role", "name", "user_id", "metadata", "type"}. Checks were made. */
json_t *sb_peer_join(struct sandbox *sb, json_t *room, const json_t *body);
/* reason: what a peer is told that is made to leave; "" for one that leaves by itself. */
void sb_peer_leave(struct sandbox *sb, json_t *session, const char *peer_id, const char *reason);
/* The same for all peers of a role. */
void sb_peers_leave(struct sandbox *sb, json_t *session, const char *role, const char *reason);
/* The data of a peer's event, with its place; new reference. */
json_t *sb_peer_event_data(struct sandbox *sb, const json_t *session, const json_t *peer);
json_t *sb_live_peers(const json_t *session); /* map of peers that are in now; borrowed */
