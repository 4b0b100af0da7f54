/* What happened lately, for the status page: the last failed requests, the last readings of the
 * config. A few of each, in places of fixed size. Thread-safe. */
#pragma once

#include "call/call.h"
#include "server/status.h"

/* Notes a request that ended with a status from 500 on. Never waits: while another thread uses the
 * list, the request is not noted. */
void grc_recent_error(const struct grc_call *call);
/* Notes how the config was read: at start, and by each reload. */
void grc_recent_config(const struct grc_reload_state *state);
/* The last state that was noted. */
void grc_recent_state(struct grc_reload_state *ret_state);
/* The newest first. New references; NULL without memory. */
json_t *grc_recent_errors_json(void);
json_t *grc_recent_configs_json(void);
