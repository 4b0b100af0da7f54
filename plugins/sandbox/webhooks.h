/* Webhooks: where they may go, events, their delivery, and what a replay counts. */
#pragma once

#include "sandbox.h"

/* --- webhook_targets.c --- */

/* Makes upstreams of the receivers in the config. */
enum gr_err sb_webhooks_init(struct gr_self *self, struct sandbox *sb);
void sb_webhooks_free(struct sandbox *sb);
/* The upstream that stands for the URL's origin; NULL when it is no target. */
const char *sb_target_upstream(const struct sandbox *sb, const char *url);
/* The URL behind its origin: path and query. */
const char *sb_target_path(const char *url);

/* --- webhooks.c --- */

/* What the events of sessions and peers say of their place; session may be NULL. New reference. */
json_t *sb_event_data(struct sandbox *sb, const json_t *room, const json_t *session);
/* Sends an event to the receiver of the room, else of the workspace; steals data. */
void sb_emit(struct sandbox *sb, const char *type, const json_t *room, json_t *data);
/* Sends an event of the past again, for a replay. */
void sb_webhook_again(struct sandbox *sb, const char *event_id, const char *workflow_id,
                      int64_t after_ms);

/* --- webhook_delivery.c --- */

/* The timer that delivers. */
enum gr_err sb_webhooks_run(struct gr_call *call);
/* Ends a replay when each of its events is done. */
void sb_workflow_settle(struct sandbox *sb, json_t *workflow);
