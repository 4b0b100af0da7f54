/*
 * What the gateway did in the last minute: its counters, remembered every few seconds. For the one
 * thread that starts, reloads and stops it.
 */
#pragma once

#include "metrics/metrics.h"

#include <jansson.h>

#define GRC_MINUTE_STEP_MS 5000
#define GRC_MINUTE_STEPS 13

struct grc_minute {
    struct {
        int64_t at_ms;
        struct grc_metrics_totals totals;
    } notes[GRC_MINUTE_STEPS];
    unsigned count; /* of all notes; the last one is at (count - 1) % GRC_MINUTE_STEPS */
};

/* To be called every GRC_MINUTE_STEP_MS or so; earlier calls do nothing. now_ms is monotonic. */
void grc_minute_note(struct grc_minute *minute, int64_t now_ms);
/* {"over_ms", "requests_per_s", "failed_per_s" (5xx), "refused_per_s", "mean_ms", "upstream_per_s",
 * "upstream_failed_per_s"}: from the oldest note to now. New reference; NULL without memory. */
json_t *grc_minute_rates(const struct grc_minute *minute, int64_t now_ms);
