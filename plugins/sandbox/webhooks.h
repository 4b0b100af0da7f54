/* What delivery and history of webhooks share. */
#pragma once

#include "sandbox.h"

/* Sends an event of the past again, for a replay. */
void sb_webhook_again(struct sandbox *sb, const char *event_id, const char *workflow_id,
                      int64_t after_ms);
/* Ends a replay when each of its events is done. */
void sb_workflow_settle(struct sandbox *sb, json_t *workflow);
