/* Webhooks: receivers, events, delivery and replay. */
#pragma once

#include "sandbox.h"

/* --- webhook_targets.c --- */

/* Defines an upstream for each receiver in the config. */
enum gr_err sb_webhooks_init(struct gr_self *self, struct sandbox *sb);
void sb_webhooks_free(struct sandbox *sb);
/* Returns the upstream for the origin of the URL; NULL when it is not an allowed receiver. */
const char *sb_target_upstream(const struct sandbox *sb, const char *url);
/* Returns the URL after its origin: path and query. */
const char *sb_target_path(const char *url);

/* --- webhooks.c --- */

/* Makes the members about room and session of an event; session may be NULL. New reference. */
json_t *sb_event_data(struct sandbox *sb, const json_t *room, const json_t *session);
/* Sends an event to the receiver of the room, else of the workspace. Takes over the reference to
 * data. */
void sb_emit(struct sandbox *sb, const char *type, const json_t *room, json_t *data);
/* Queues a past event again, for a replay. */
void sb_webhook_again(struct sandbox *sb, const char *event_id, const char *workflow_id,
                      int64_t after_ms);

/* --- webhook_delivery.c --- */

/* Timer: delivers the due webhooks. */
enum gr_err sb_webhooks_run(struct gr_call *call);
/* Ends a replay when all its events are settled. */
void sb_workflow_settle(struct sandbox *sb, json_t *workflow);
