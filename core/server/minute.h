/*
 * Rates of the last minute, from counters that are recorded every few seconds. Only for the thread
 * that starts, reloads and stops the gateway.
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
    unsigned count; /* number of notes so far; the last one is at (count - 1) % GRC_MINUTE_STEPS */
};

/* To be called about every GRC_MINUTE_STEP_MS; earlier calls do nothing. now_ms is monotonic. */
void grc_minute_note(struct grc_minute *minute, int64_t now_ms);
/* {"over_ms", "requests_per_s", "failed_per_s" (5xx), "refused_per_s", "mean_ms", "upstream_per_s",
 * "upstream_failed_per_s"} from the oldest note to now. New reference; NULL without memory. */
json_t *grc_minute_rates(const struct grc_minute *minute, int64_t now_ms);
