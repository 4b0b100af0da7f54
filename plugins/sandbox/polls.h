/* Polls and their runs in sessions. */
#pragma once

#include "sandbox.h"

void sb_polls_begin(struct sandbox *sb, json_t *session);
void sb_polls_end(struct sandbox *sb, const char *session_id);
void sb_poll_expire(struct sandbox *sb, const char *poll_session_id);
json_t *sb_poll_put(struct sandbox *sb, const json_t *body, const char *id);

/* Finds the poll of the path; fails the call with 404 when there is none. */
enum gr_err sb_poll_of(struct gr_call *call, struct sandbox *sb, json_t **ret_poll);
