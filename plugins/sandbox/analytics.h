/* Handlers and fields of the analytics and webhook routes; see analytics.inc. */
#pragma once

#include "fields.h"
#include "sandbox.h"

gr_handler sb_analytics_events;
gr_handler sb_analytics_peer_stats;
gr_handler sb_analytics_add;
gr_handler sb_webhooks_history;
gr_handler sb_webhooks_replay;
gr_handler sb_webhooks_replay_status;
gr_handler sb_webhooks_dump;

extern const struct gr_field sb_events_query[];
extern const struct gr_field sb_peer_stats_query[];
extern const struct gr_field sb_event_fields[];
extern const struct gr_field sb_history_query[];
extern const struct gr_field sb_replay_fields[];
